"""Frames of Pusher's protocol, encoded. Pure.

Pusher's "WebSocket protocol", version 7: each frame is a JSON object, whose `data` is a string that
holds JSON as a rule (*double encoding*). `id` is our extension, a position in the log: clients that
don't know it ignore it.
"""

import json
from typing import Any

from realtime.events import MEMBER_JOINED, MEMBER_LEFT, Event, EventId, data_to_text, dumps
from realtime.names import is_presence

TRANSPORT = "websocket"

_MEMBERS = {
    MEMBER_JOINED: "pusher_internal:member_added",
    MEMBER_LEFT: "pusher_internal:member_removed",
}


def encode(event: Event) -> str:
    """`event` as a WebSocket carries it; encoded once however many there are."""
    frame: str | None = event.frames.get(TRANSPORT)
    if frame is None:
        frame = event.frames[TRANSPORT] = _encode(event)
    return frame


def _encode(event: Event) -> str:
    if event.type in _MEMBERS and is_presence(event.channel):
        return _member(event)
    return _frame(
        event.type,
        data_to_text(event.data),
        channel=event.channel,
        changed=event.changed,
        mutation=event.mutation,
        user_id=event.user_id or None,
        id=event.id and str(event.id),
    )


def _member(event: Event) -> str:
    member = json.loads(event.data)
    data = {"user_id": member["id"]}
    if event.type == MEMBER_JOINED:
        data["user_info"] = member["info"]
    return _frame(
        _MEMBERS[event.type],
        dumps(data),
        channel=event.channel,
        id=event.id and str(event.id),
    )


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


def subscription_error(channel: str, kind: str, status: int, text: str) -> str:
    """There is no subscription, or it has ended."""
    data = {"type": kind, "error": text, "status": status}
    return _frame("pusher:subscription_error", data, channel=channel)


def cache_miss(channel: str) -> str:
    """The cache channel has no last event."""
    return _frame("pusher:cache_miss", None, channel=channel)


def signin_success(user_data: str) -> str:
    """The connection is a user's."""
    return _frame("pusher:signin_success", {"user_data": user_data})


def watchlist_events(online: list[str], offline: list[str]) -> str:
    """Who of those that are watched has come, and who has gone."""
    users = (("online", online), ("offline", offline))
    events = [{"name": name, "user_ids": ids} for name, ids in users if ids]
    return _frame("pusher_internal:watchlist_events", dumps({"events": events}))


def stream_reset(channel: str, position: EventId, reason: str) -> str:
    """Events may be missing before `position`: the client must refetch."""
    return _frame("stream-reset", dumps({"reason": reason}), channel=channel, id=str(position))


def _frame(name: str, data: Any, **members: Any) -> str:
    frame = {"event": name, "data": data, **members}
    return dumps({key: value for key, value in frame.items() if value is not None})
