"""Pusher's protocol, version 7, as a server speaks it, without I/O.

A `Connection` is told what a client sends, and answers what is to be done about it: it knows
syntax, signatures and limits. Who calls it does what needs the hub or the database. Nothing that a
client can send raises an exception, or goes without its defined answer.
"""

import re
from collections.abc import Callable, Container, Sized
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from realtime.events import Event, EventId, check_type, data_from_text, dumps, loads
from realtime.exceptions import InvalidChannel, InvalidEvent, InvalidEventId
from realtime.names import CONTROL, USER, check_name, is_encrypted, is_presence, is_private
from realtime.pusher import codes, frames
from realtime.pusher.actions import (
    Action,
    Close,
    Member,
    Ping,
    Relay,
    Reply,
    SignIn,
    Subscribe,
    Unsubscribe,
)
from realtime.signatures import App, matches

_CLIENT = "client-"
_USER_ID = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,128}")
_ID_RULE = "A user's id is a text of 1 to 128 characters, without control characters."
_MAX_WATCHLIST = 100


class Channels(Container[str], Sized, Protocol):
    """The channels that a connection is subscribed to."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client may do."""

    message: int
    """Characters of a message."""
    channels: int
    client_event: int
    """Bytes of the data of a client event, as JSON."""
    client_events: int
    """Client events in a second."""


class _Wrong(Exception):
    """The message can't be acted on; what the client is told."""

    def __init__(self, frame: str) -> None:
        super().__init__(frame)
        self.frame = frame


class Connection:
    """One client. `channels` are those that it is subscribed to, whoever adds and removes them."""

    def __init__(self, app: App, socket_id: str, channels: Channels, limits: Limits) -> None:
        self.socket_id = socket_id
        self.user: Member | None = None
        """Who has signed in."""
        self.members: dict[str, str] = {}
        """As whom the client is on presence channels."""
        self._app = app
        self._channels = channels
        self._limits = limits
        self._allowance = _Allowance(limits.client_events)

    def receive(self, text: str | None, now: float) -> Action | None:
        """What to do about a message, which is None if it was no text; `now` is in seconds."""
        try:
            if text is None:
                raise _error(None, "Messages are text.")
            if len(text) > self._limits.message:
                return Close(
                    codes.TOO_BIG, f"A message has at most {self._limits.message} characters."
                )
            message = _object(text, "A message is a JSON object.")
            name = message.get("event")
            if not isinstance(name, str):
                raise _error(None, "A message has a text as its event.")
            if name.startswith(_CLIENT):
                return self._relay(name, message, now)
            handler = _HANDLERS.get(name)
            if handler is None:
                raise _error(None, f"There is no event {name[:200]}.")
            return handler(self, message)
        except _Wrong as wrong:
            return Reply(wrong.frame)

    # Subscriptions

    def _subscribe(self, message: dict[str, Any]) -> Subscribe:
        data = _data(message)
        channel, auth = _text(data, "channel"), _text(data, "auth", "")
        last_event_id = _text(data, "last_event_id", "")
        if channel in self._channels:
            raise _error(None, f"Existing subscription to channel {channel}")
        if len(self._channels) >= self._limits.channels:
            limit = f"A connection has at most {self._limits.channels} channels."
            raise _rejected(channel, codes.FULL, limit)
        if channel.startswith(USER):
            if self.user is None or channel != USER + self.user.user_id:
                raise _unauthorized(channel, "This channel is for who has signed in as this user.")
            return Subscribe(channel, auth, last_event_id)
        try:
            check_name(channel)
        except InvalidChannel as error:
            raise _rejected(channel, codes.BAD_NAME, str(error)) from error
        if channel == CONTROL:
            raise _unauthorized(channel, "This channel is the workers' own.")
        if not is_private(channel):
            return Subscribe(channel, "", last_event_id)
        return self._subscribe_privately(channel, auth, last_event_id, data)

    def _subscribe_privately(
        self, channel: str, auth: str, last_event_id: str, data: dict[str, Any]
    ) -> Subscribe:
        presence = is_presence(channel)
        channel_data = _text(data, "channel_data", "") if presence else ""
        expected = self._app.channel_auth(self.socket_id, channel, channel_data)
        if not matches(auth, expected):
            raise _unauthorized(channel, "The signature is not valid.")
        member = None
        if presence:
            member = _member(channel, channel_data) if channel_data else self.user
            if member is None:
                raise _unauthorized(channel, "There is neither channel_data nor a signed-in user.")
        return Subscribe(channel, auth, last_event_id, member)

    def _unsubscribe(self, message: dict[str, Any]) -> Unsubscribe:
        return Unsubscribe(_text(_data(message), "channel"))

    # Users

    def _sign_in(self, message: dict[str, Any]) -> SignIn:
        data = _data(message)
        auth, user_data = _text(data, "auth", ""), _text(data, "user_data", "")
        if not matches(auth, self._app.user_auth(self.socket_id, user_data)):
            raise _error(codes.UNAUTHORIZED, "The signature is not valid.")
        user = _object(user_data, "user_data is not a JSON object.", codes.UNAUTHORIZED)
        user_id = user.get("id")
        if not _is_user_id(user_id):
            raise _error(codes.UNAUTHORIZED, _ID_RULE)
        if self.user is not None and self.user.user_id != user_id:
            raise _error(codes.UNAUTHORIZED, "The connection has signed in as another user.")
        watchlist = user.get("watchlist") or []
        if not isinstance(watchlist, list) or not all(map(_is_user_id, watchlist)):
            raise _error(codes.UNAUTHORIZED, "A watchlist is a list of users' ids.")
        if len(watchlist) > _MAX_WATCHLIST:
            raise _error(codes.WATCHLIST_LIMIT, f"A watchlist has at most {_MAX_WATCHLIST} users.")
        member = Member(str(user_id), user.get("user_info"))
        return SignIn(auth, member, user_data, tuple(dict.fromkeys(watchlist)))

    # Client events

    def _relay(self, name: str, message: dict[str, Any], now: float) -> Relay:
        channel = _text(message, "channel")
        if channel not in self._channels or not is_private(channel) or is_encrypted(channel):
            raise _refused(
                "Client events are for private and presence channels, of those who are subscribed."
            )
        if not self._allowance.take(now):
            raise _refused(f"At most {self._limits.client_events} client events in a second.")
        try:
            data = client_data(message.get("data"))
            if len(data.encode()) > self._limits.client_event:
                raise _refused(f"Data has at most {self._limits.client_event} bytes as JSON.")
            kind, user_id = check_type(name), self.members.get(channel, "")
            return Relay(Event(channel, kind, data, exclude=self.socket_id, user_id=user_id))
        except InvalidEvent as error:
            raise _refused(str(error)) from error


_HANDLERS: dict[str, Callable[[Connection, dict[str, Any]], Action | None]] = {
    "pusher:ping": lambda connection, message: Ping(_position(message.get("data"))),
    "pusher:pong": lambda connection, message: None,
    "pusher:subscribe": Connection._subscribe,
    "pusher:unsubscribe": Connection._unsubscribe,
    "pusher:signin": Connection._sign_in,
}


class _Allowance:
    """So many in a second, and as many at once after a rest."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._left = float(rate)
        self._at = float("-inf")

    def take(self, now: float) -> bool:
        """Whether one more may be."""
        self._left = min(self._rate, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def client_data(data: Any) -> str:
    """An event's data for what a client sends as such: any JSON, or a text that holds it."""
    return data_from_text(data) if isinstance(data, str) else dumps(data)


def _is_user_id(value: object) -> bool:
    return isinstance(value, str) and _USER_ID.fullmatch(value) is not None


def _member(channel: str, channel_data: str) -> Member:
    data = _object(channel_data, "channel_data is not a JSON object.")
    user_id = data.get("user_id")
    if isinstance(user_id, int) and not isinstance(user_id, bool):
        user_id = str(user_id)
    if not _is_user_id(user_id):
        raise _unauthorized(channel, _ID_RULE)
    return Member(str(user_id), data.get("user_info"))


def _data(message: dict[str, Any]) -> dict[str, Any]:
    """The message's data. Some clients encode it as servers do."""
    data = message.get("data")
    if isinstance(data, str):
        return _object(data, "data is not a JSON object.")
    if not isinstance(data, dict):
        raise _error(None, "data is not an object.")
    return data


def _position(data: Any) -> EventId | None:
    """Our extension of a ping, whose data is nobody's business otherwise."""
    found = data.get("last_event_id") if isinstance(data, dict) else None
    with suppress(InvalidEventId):
        return EventId.parse(found) if isinstance(found, str) else None
    return None


def _object(text: str, otherwise: str, code: int | None = None) -> dict[str, Any]:
    found = None
    with suppress(InvalidEvent):
        found = loads(text)
    if not isinstance(found, dict):
        raise _error(code, otherwise)
    return found


def _text(data: dict[str, Any], name: str, default: str | None = None) -> str:
    value = data.get(name)
    value = default if value is None else value
    if not isinstance(value, str):
        raise _error(None, f"{name} is not a text.")
    return value


def _error(code: int | None, text: str) -> _Wrong:
    return _Wrong(frames.error(code, text))


def _refused(text: str) -> _Wrong:
    return _error(codes.CLIENT_EVENT_REFUSED, text)


def _rejected(channel: str, why: tuple[str, int], text: str) -> _Wrong:
    return _Wrong(frames.subscription_error(channel, *why, text))


def _unauthorized(channel: str, text: str) -> _Wrong:
    return _rejected(channel, codes.UNSIGNED, text)
