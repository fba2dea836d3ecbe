"""Hold instructions: how Django tells who holds the connection what to do with it. Pure.

They are those of GRIP, "The GRIP protocol" by Fanout: ``Grip-Hold: stream`` asks to keep the
response open, ``Grip-Channel`` names what to send on it and, by ``prev-id``, from which position;
``Grip-Link`` says where to ask for what was missed. ``Grip-Hold: response`` asks to keep the answer
itself back, for as long as ``Grip-Timeout`` says.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, unquote

from realtime.events import EventId
from realtime.exceptions import InvalidEventId
from realtime.sse import keep_alive

Headers = Iterable[tuple[bytes, bytes]]

SIGNATURE = "Grip-Sig"
"""The request header by which a proxy shows that it is one."""
LAST = "Grip-Last"
"""The request header in which a proxy says what a stream has got."""

_META = "Grip-Set-Meta"
_POSITION = "realtime-position"
_FEED = re.compile(r"realtime-([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Hold:
    """Keep this response open and send it what comes on `channels` after `position`."""

    channels: tuple[str, ...]
    position: EventId
    keep_alive: float
    grant: str = ""
    """On what grounds; only for the holder in this process, as metadata of the connection."""
    slot: int = 0
    """What the stream is counted by; likewise."""
    member: str = ""
    """Whom the stream makes a member of its presence channels, as JSON text; likewise."""
    form: str = ""
    """What it looks like, if not as usual; likewise."""
    wait: float = 0.0
    """Seconds to keep the answer itself back for, until something comes; 0 if it is a stream."""

    def headers(self) -> dict[str, str]:
        """The response headers that say so."""
        headers = {
            "Grip-Hold": "response" if self.wait else "stream",
            "Grip-Channel": ", ".join(f"{c}; prev-id={self.position}" for c in self.channels),
            "Grip-Keep-Alive": _keep_alive(self.keep_alive),
        }
        if self.wait:
            headers["Grip-Timeout"] = f"{self.wait:g}"
        if self.grant:
            form = f", form={self.form}" if self.form else ""
            member = f", member={quote(self.member)}" if self.member else ""
            headers[_META] = f"slot={self.slot}{form}{member}, grant={self.grant}"
        return headers

    @classmethod
    def parse(cls, headers: Headers) -> Self | None:
        """The instructions among response headers, whose names are in lower case."""
        found = {name: value.decode("latin-1") for name, value in headers if name[:5] == b"grip-"}
        if found.get(b"grip-hold") not in ("stream", "response"):
            return None
        meta, _, grant = found.get(_META.lower().encode(), "").partition(", grant=")
        meta, _, member = meta.partition(", member=")
        slot, _, form = meta.partition(", form=")
        items = [item.partition("; prev-id=") for item in found[b"grip-channel"].split(", ")]
        return cls(
            channels=tuple(channel for channel, _, _ in items),
            position=EventId.parse(items[0][2]),
            keep_alive=float(found[b"grip-keep-alive"].rpartition("=")[2]),
            grant=grant,
            slot=int(slot.partition("=")[2] or 0),
            form=form,
            wait=float(found.get(b"grip-timeout", 0)),
            member=unquote(member),
        )


@dataclass(frozen=True, slots=True)
class ProxyHold:
    """What a proxy is told to do with a stream: to send it what is published to a feed after
    `last`, and to ask again at `link` every `interval` seconds, or when something is missing.

    The stream has got everything up to `position`, which may be far beyond the feed's last event.
    A proxy repeats to us what a channel's prev-id was, so one that nothing is ever published to
    remembers it. As nothing comes there, the proxy also asks on time however busy the feed is.
    """

    feed: str
    last: EventId
    position: EventId
    keep_alive: float
    link: str
    interval: float

    def headers(self) -> dict[str, str]:
        """The response headers that say so."""
        channels = (
            f"{channel(self.feed)}; prev-id={self.last}",
            aside(self.feed),
            f"{_POSITION}; prev-id={self.position}",
        )
        return {
            "Grip-Hold": "stream",
            "Grip-Channel": ", ".join(channels),
            # A proxy counts in whole seconds.
            "Grip-Keep-Alive": _keep_alive(max(1, int(self.keep_alive))),
            "Grip-Link": f"<{self.link}>; rel=next; timeout={max(1, int(self.interval))}",
        }


def ask_on(link: str) -> dict[str, str]:
    """The response headers by which a proxy goes on asking at `link` at once."""
    return {"Grip-Link": f"<{link}>; rel=next"}


def channel(feed: str) -> str:
    """The GRIP channel of a feed's events, each of which has an id and its predecessor's."""
    return f"realtime-{feed}"


def aside(feed: str) -> str:
    """The GRIP channel of what is said to a feed's streams beside its events."""
    return f"{channel(feed)}-aside"


@dataclass(frozen=True, slots=True)
class Last:
    """What a proxy says that a stream has got: the feed's events up to `last`, and everything up to
    `position`. None where it says nothing, or nothing that we ever said."""

    feed: str | None = None
    last: EventId | None = None
    position: EventId | None = None

    @classmethod
    def parse(cls, header: str) -> Self:
        """Reads ``Grip-Last``: ``channel; last-id=…``, several with commas between."""
        ids = {}
        for item in header.split(","):
            name, _, value = item.partition(";")
            ids[name.strip()] = value.strip().removeprefix("last-id=")
        feed = next((found[1] for found in map(_FEED.fullmatch, ids) if found), None)
        return cls(feed, _id(ids, channel(feed or "")), _id(ids, _POSITION))

    @property
    def upto(self) -> EventId | None:
        """Up to where the stream has got everything."""
        known = [position for position in (self.last, self.position) if position]
        return max(known, default=None)


def _id(ids: Mapping[str, str], name: str) -> EventId | None:
    try:
        return EventId.parse(ids[name]) if name in ids else None
    except InvalidEventId:
        return None


def _keep_alive(seconds: float) -> str:
    frame = keep_alive().decode().replace("\n", "\\n")
    return f"{frame}; format=cstring; timeout={seconds:g}"


def signature(headers: Headers) -> str | None:
    """The proxy's signature among request headers, whose names are in lower case; None unless there
    is exactly one."""
    found = [value for name, value in headers if name == SIGNATURE.lower().encode()]
    return found[0].decode("latin-1") if len(found) == 1 else None


def without(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Headers without GRIP's: in an answer they are not for clients, in a request not theirs."""
    return [(name, value) for name, value in headers if not name.startswith(b"grip-")]


def endless(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Response headers without a length, which a middleware may have set: more will come."""
    return [(name, value) for name, value in headers if name != b"content-length"]
