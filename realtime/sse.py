"""Server-Sent Events, encoded. Pure.

The format is the HTML standard's, section 9.2 "Server-sent events": fields end with a line feed,
an event with an empty line. What goes into a field is either checked before it gets here (types,
channels, ids) or JSON, in which line breaks are escaped: no input can end a field early.
"""

from realtime.events import Event, EventId, dumps

TRANSPORT = "sse"


def encode(event: Event) -> bytes:
    """`event` as a stream carries it; encoded once however many streams there are."""
    frame = event.frames.get(TRANSPORT)
    if frame is None:
        identity = f"id: {event.id}\n" if event.id else ""
        frame = f"{identity}event: {event.type}\ndata: {event.message}\n\n".encode()
        event.frames[TRANSPORT] = frame
    return frame


def stream_open(position: EventId, retry: float) -> bytes:
    """The first event of each stream: where it starts, and its reconnection delay in seconds."""
    milliseconds = round(retry * 1000)
    return f"retry: {milliseconds}\nid: {position}\nevent: stream-open\ndata: {{}}\n\n".encode()


def stream_reset(position: EventId, channels: list[str], reason: str) -> bytes:
    """Tells that events may be missing before `position`: the client must refetch."""
    data = dumps({"channels": channels, "reason": reason})
    return f"id: {position}\nevent: stream-reset\ndata: {data}\n\n".encode()


def stream_error(condition: str, text: str, channels: list[str]) -> bytes:
    """Tells that the stream, or its part on `channels`, ends."""
    data = dumps({"condition": condition, "text": text, "channels": channels})
    return f"event: stream-error\ndata: {data}\n\n".encode()


def keep_alive(position: EventId | None = None) -> bytes:
    """Shows that a quiet stream lives; moves a resuming client past what was not for it."""
    identity = f"id: {position}\n" if position else ""
    return f"{identity}event: keep-alive\ndata:\n\n".encode()


def retry(delay: float) -> bytes:
    """Sets the client's reconnection delay in seconds; sent before a stream is drained."""
    return f"retry: {round(delay * 1000)}\n\n".encode()
