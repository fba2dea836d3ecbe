"""Streams that come back: answered from memory, in the event loop, where nothing need be asked.

A request that is the same as one whose stream has just ended, but for the position, gets what that
got. Whatever is unusual about it goes the long way, through Django.
"""

from dataclasses import dataclass
from hashlib import blake2b

from django.db import DatabaseError, InterfaceError

from realtime import meters, sse
from realtime.bridge import Response, Scope
from realtime.conf import settings
from realtime.events import EventId
from realtime.exceptions import InvalidEventId
from realtime.grip import Hold
from realtime.hub import jittered
from realtime.quotas import About
from realtime.worker import Worker

_POSITION = b"last-event-id"
# What proxies and tracers add, each time another. Everything else may be what decides.
_PASSING = frozenset({
    _POSITION, b"x-request-id", b"x-request-start", b"x-correlation-id", b"traceparent",
    b"tracestate", b"x-amzn-trace-id", b"x-cloud-trace-context", b"cf-ray", b"x-b3-traceid",
    b"x-b3-spanid", b"x-b3-parentspanid", b"x-b3-sampled", b"b3",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a stream: what it asks for, and from where on."""

    request: bytes
    """The same for the same request, whatever its position."""
    position: EventId | None

    @classmethod
    def of(cls, scope: Scope) -> "Visit | None":
        """What an ASGI scope asks for; None if that must not be remembered."""
        # Nothing but channels: a ticket, as an example, is good for one opening.
        parts = scope["query_string"].split(b"&")
        if scope["method"] != "GET" or not all(part.startswith(b"channel=") for part in parts):
            return None
        headers = [header for header in scope["headers"] if header[0] not in _PASSING]
        place = [scope.get(name) for name in ("scheme", "server", "root_path", "path", "raw_path")]
        peer = (scope.get("client") or ("",))[0]
        text = repr((place, scope["query_string"], peer, headers)).encode()
        return cls(blake2b(text, digest_size=16).digest(), _position(scope))


def _position(scope: Scope) -> EventId | None:
    values = [value for name, value in scope["headers"] if name == _POSITION]
    try:
        return EventId.parse(values[0].decode("latin-1")) if len(values) == 1 else None
    except InvalidEventId:
        return None


async def reopen(worker: Worker, visit: Visit) -> tuple[Response, Hold] | None:
    """The answer to somebody who is back, and how to hold it; None if Django has to be asked."""
    opened, position = worker.guard.memory.recall(visit.request), visit.position
    if opened is None or position is None or not worker.hub.remembers(position):
        return None
    try:
        about = About.of("sse", opened.channels, [opened.grant])
        taken = await worker.slots.take(opened.grant, about)
    except (DatabaseError, InterfaceError):
        return None
    if taken is None:
        return None
    # Whatever had ended the right by then is an event up to the head: once that is here, it has
    # made the opening forgotten. What ends it later is looked for when the stream is attached.
    here = await worker.reaches(taken.head)
    if not here or worker.guard.memory.recall(visit.request) is not opened:
        worker.slots.give_back(taken.slot)
        return None
    meters.count(meters.RESUMED.slot("sse"))
    start = sse.stream_open(position, jittered(settings.RETRY))
    hold = Hold(
        opened.channels,
        position,
        settings.KEEP_ALIVE,
        opened.grant.dump(),
        taken.slot,
        opened.member,
    )
    return Response(200, list(opened.headers), start), hold
