"""Streams that open again: answered from memory, in the event loop, where nothing need be asked.

A request that is the same as one whose stream has just opened or ended, but for the position, gets
what that got. Whatever is unusual about it goes the long way, through Django.
"""

from dataclasses import dataclass
from hashlib import blake2b

from django.db import DatabaseError, InterfaceError

from realtime import meters, sse
from realtime.bridge import Response, Scope
from realtime.conf import settings
from realtime.events import EventId
from realtime.exceptions import InvalidEventId
from realtime.grip.holds import Hold
from realtime.hub import Hub, jittered
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
    resumes: bool
    position: EventId | None
    """None if it does not resume, or from nowhere that is known."""

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
        values = [value for name, value in scope["headers"] if name == _POSITION]
        return cls(blake2b(text, digest_size=16).digest(), bool(values), _position(values))


def _position(values: list[bytes]) -> EventId | None:
    try:
        return EventId.parse(values[0].decode("latin-1")) if len(values) == 1 else None
    except InvalidEventId:
        return None


async def reopen(worker: Worker, visit: Visit) -> tuple[Response, Hold] | None:
    """The answer to who asks for the same again, and how to hold it; None if Django has to be
    asked."""
    opened = worker.guard.memory.recall(visit.request)
    if opened is None or not _can_follow(worker.hub, visit):
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
    if visit.resumes:
        meters.count(meters.RESUMED.slot("sse"))
    position = visit.position or worker.hub.position
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


def _can_follow(hub: Hub, visit: Visit) -> bool:
    """Whether the hub has everything that a visitor has yet to be told."""
    if not visit.resumes:
        return True
    return visit.position is not None and hub.remembers(visit.position)
