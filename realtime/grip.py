"""Hold instructions: how Django tells who holds the connection what to do with it. Pure.

They are those of GRIP, "The GRIP protocol" by Fanout: ``Grip-Hold: stream`` asks to keep the
response open, ``Grip-Channel`` names what to send on it and, by ``prev-id``, from which position.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from realtime.events import EventId
from realtime.sse import keep_alive

Headers = Iterable[tuple[bytes, bytes]]

_META = "Grip-Set-Meta"


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

    def headers(self) -> dict[str, str]:
        """The response headers that say so."""
        frame = keep_alive().decode().replace("\n", "\\n")
        headers = {
            "Grip-Hold": "stream",
            "Grip-Channel": ", ".join(f"{c}; prev-id={self.position}" for c in self.channels),
            "Grip-Keep-Alive": f"{frame}; format=cstring; timeout={self.keep_alive:g}",
        }
        if self.grant:
            headers[_META] = f"slot={self.slot}, grant={self.grant}"
        return headers

    @classmethod
    def parse(cls, headers: Headers) -> Self | None:
        """The instructions among response headers, whose names are in lower case."""
        found = {name: value.decode("latin-1") for name, value in headers if name[:5] == b"grip-"}
        if found.get(b"grip-hold") != "stream":
            return None
        slot, _, grant = found.get(_META.lower().encode(), "").partition(", grant=")
        items = [item.partition("; prev-id=") for item in found[b"grip-channel"].split(", ")]
        return cls(
            channels=tuple(channel for channel, _, _ in items),
            position=EventId.parse(items[0][2]),
            keep_alive=float(found[b"grip-keep-alive"].rpartition("=")[2]),
            grant=grant,
            slot=int(slot.partition("=")[2] or 0),
        )


def without(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Response headers without instructions: these are not for clients."""
    return [(name, value) for name, value in headers if not name.startswith(b"grip-")]


def endless(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Response headers without a length, which a middleware may have set: more will come."""
    return [(name, value) for name, value in headers if name != b"content-length"]
