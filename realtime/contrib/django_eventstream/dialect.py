"""Streams as django-eventstream's clients know them: data as it was sent, ids of their form."""

from collections.abc import Mapping

from realtime import sse
from realtime.contrib.django_eventstream.numbers import wire
from realtime.contrib.django_eventstream.texts import lines, to_text
from realtime.events import NOWHERE, Event, EventId, dumps
from realtime.eventstream import EventStream

FORM = "django-eventstream"


Floors = Mapping[str, EventId]
"""What has come already on channels that are further than the stream as a whole."""


def encode(event: Event) -> bytes:
    """`event` as a stream carries it; encoded once however many streams there are."""
    frame = event.frames.get(FORM)
    if frame is None:
        frame = _frame(event, wire(event.channel, event.id) if event.id else "")
        event.frames[FORM] = frame
    return frame


def replayed(event: Event, channels: list[str], floors: Floors) -> bytes:
    """An event of the log for a stream that began at a position of its own on each channel."""
    if all(event.position >= floor for floor in floors.values()):
        return encode(event)
    return _frame(event, _positions(event.position, channels, floors))


def stream_open(position: EventId, channels: list[str], floors: Floors, retry: float) -> bytes:
    """The first event of each stream. Unlike django-eventstream's it has an id, so that a client
    that is cut off before any other comes back to where it was; and a reconnection delay."""
    identity = "" if position == NOWHERE else f"id: {_positions(position, channels, floors)}\n"
    return sse.retry(retry).rstrip() + f"\nevent: stream-open\n{identity}data:\n\n".encode()


def _frame(event: Event, identity: str) -> bytes:
    id_line = f"id: {identity}\n" if identity else ""
    data = "".join(f"data: {line}\n" for line in lines(to_text(event.data)))
    return f"event: {event.type}\n{id_line}{data}\n".encode()


def _positions(position: EventId, channels: list[str], floors: Floors) -> str:
    if not floors:
        return wire(channels[0], position)
    return ",".join(wire(name, max(position, floors.get(name, position))) for name in channels)


def stream_reset(position: EventId, channels: list[str]) -> bytes:
    """Tells that events may be missing before `position`."""
    data = dumps({"channels": channels})
    return f"event: stream-reset\nid: {wire(channels[0], position)}\ndata: {data}\n\n".encode()


class DialectStream(EventStream):
    """An open stream of that form."""

    __slots__ = ()

    encode = staticmethod(encode)

    def restart(self, position: EventId, channels: list[str], reason: str) -> bytes:
        return stream_reset(position, channels)

    def forbid(self, channels: list[str]) -> None:
        # As there, all of it ends, and can't be resumed.
        data = {"condition": "forbidden", "text": denied(channels), "channels": channels}
        self.write(f"event: stream-error\nid: error\ndata: {dumps(data)}\n\n".encode())
        self.end()

    def keep_alive(self, position: EventId | None) -> None:
        identity = f"id: {wire(min(self.channels), position)}\n" if position else ""
        self.write(f"event: keep-alive\n{identity}data:\n\n".encode())


def denied(channels: list[str]) -> str:
    """What is said to whom has no right."""
    return f"Permission denied to channels: {', '.join(channels)}"
