"""Frames of Pusher's protocol, encoded. Pure.

Pusher's "WebSocket protocol", version 7: each frame is a JSON object, whose `data` is a string that
holds JSON as a rule (*double encoding*). `id` is our extension, a position in the log: clients that
don't know it ignore it.
"""

import json
from typing import Any

from realtime.events import Event, EventId, dumps, loads
from realtime.exceptions import InvalidEvent

TRANSPORT = "websocket"


def encode(event: Event) -> str:
    """`event` as a WebSocket carries it; encoded once however many there are."""
    frame: str | None = event.frames.get(TRANSPORT)
    if frame is None:
        extras: dict[str, Any] = {
            "changed": event.changed,
            "mutation": event.mutation,
            "id": event.id and str(event.id),
        }
        frame = event.frames[TRANSPORT] = _frame(
            event.type, data_text(event.data), channel=event.channel, **extras
        )
    return frame


def data_text(data: str) -> str:
    """What a client gets as the data of an event: JSON as it is; but a string bare, unless that
    would pass for JSON, which clients decode if they can."""
    if data.startswith('"'):
        value = str(json.loads(data))
        try:
            loads(value)
        except InvalidEvent:
            return value
    return data


def connection_established(socket_id: str, activity_timeout: float) -> str:
    """The first frame: what the connection is called, and after how many seconds of silence the
    client is to ping. A client takes none without that."""
    data = {"socket_id": socket_id, "activity_timeout": max(1, round(activity_timeout))}
    return _frame("pusher:connection_established", dumps(data))


def ping() -> str:
    """Asks the client whether it is still there."""
    return _frame("pusher:ping", "{}")


def pong(position: EventId | None) -> str:
    """Answers a ping; everything before `position`, if there is one, has been sent."""
    return _frame("pusher:pong", "{}", id=position and str(position))


def error(code: int | None, message: str) -> str:
    """Something was wrong with the connection, or with what the client sent."""
    return _frame("pusher:error", {"code": code, "message": message})


def subscription_succeeded(channel: str, position: EventId, data: str = "{}") -> str:
    """The subscription has everything that comes after `position`."""
    return _frame("pusher_internal:subscription_succeeded", data, channel=channel, id=str(position))


def subscription_error(channel: str, kind: str, text: str, status: int) -> str:
    """There is no subscription, or it has ended."""
    data = {"type": kind, "error": text, "status": status}
    return _frame("pusher:subscription_error", data, channel=channel)


def stream_reset(channel: str, position: EventId, reason: str) -> str:
    """Events may be missing before `position`: the client must refetch."""
    return _frame("stream-reset", dumps({"reason": reason}), channel=channel, id=str(position))


def _frame(name: str, data: Any, **members: Any) -> str:
    frame = {"event": name, "data": data}
    return dumps(frame | {key: value for key, value in members.items() if value is not None})
