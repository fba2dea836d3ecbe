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

from realtime import frames
from realtime.events import Event, check_type, dumps, loads
from realtime.exceptions import InvalidChannel, InvalidEvent
from realtime.names import CONTROL, USER, check_name, is_encrypted, is_presence, is_private
from realtime.signatures import App, matches

VERSION = 7

# Close codes, and codes of errors. pusher-js stays away after 4000 to 4099 and from 4300 on, comes
# back in a second after 4100 to 4199, and at once after 4200 to 4299.
TOO_BIG = 1009
TLS_ONLY = 4000
NO_APP = 4001
QUOTA = 4004
NO_PATH = 4005
BAD_VERSION = 4006
UNSUPPORTED_VERSION = 4007
NO_VERSION = 4008
UNAUTHORIZED = 4009
OVER_CAPACITY = 4100
SILENT = 4201
CLIENT_EVENT_REFUSED = 4301
WATCHLIST_LIMIT = 4302

# Statuses of subscription errors.
_BAD_NAME = 4009
_TOO_MANY = 4100

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
    """Characters of the data of a client event."""
    client_events: int
    """Client events in a second."""


@dataclass(frozen=True, slots=True)
class Member:
    """Who somebody is to the others on a presence channel."""

    user_id: str
    info: Any = None


# What is to be done


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this."""

    frame: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer that the connection lives."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Subscribe, if the grounds of `auth` still hold."""

    channel: str
    auth: str
    last_event_id: str = ""
    member: Member | None = None


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """End a subscription, if there is one."""

    channel: str


@dataclass(frozen=True, slots=True)
class Relay:
    """Send this to the others."""

    event: Event


@dataclass(frozen=True, slots=True)
class SignIn:
    """Note whose connection it is, if the grounds of `auth` still hold."""

    auth: str
    user: Member
    user_data: str
    watchlist: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection."""

    code: int
    reason: str


Action = Reply | Ping | Subscribe | Unsubscribe | Relay | SignIn | Close


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
        self._app = app
        self._channels = channels
        self._limits = limits
        self._allowance = _Allowance(limits.client_events)
        self._handlers: dict[str, Callable[[dict[str, Any]], Action | None]] = {
            "pusher:ping": lambda message: Ping(),
            "pusher:pong": lambda message: None,
            "pusher:subscribe": self._subscribe,
            "pusher:unsubscribe": self._unsubscribe,
            "pusher:signin": self._sign_in,
        }

    def receive(self, text: str | None, now: float) -> Action | None:
        """What to do about a message, which is None if it was no text; `now` is in seconds."""
        try:
            if text is None:
                raise _error(None, "Messages are text.")
            if len(text) > self._limits.message:
                return Close(TOO_BIG, f"A message has at most {self._limits.message} characters.")
            message = _object(text, "A message is a JSON object.")
            name = message.get("event")
            if not isinstance(name, str):
                raise _error(None, "A message has a text as its event.")
            if name.startswith(_CLIENT):
                return self._relay(name, message, now)
            handler = self._handlers.get(name)
            if handler is None:
                raise _error(None, f"There is no event {name[:200]}.")
            return handler(message)
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
            raise _rejected(channel, "LimitReached", limit, _TOO_MANY)
        if channel.startswith(USER):
            if self.user is None or channel != USER + self.user.user_id:
                raise _unauthorized(channel, "This channel is for who has signed in as this user.")
            return Subscribe(channel, auth, last_event_id)
        try:
            check_name(channel)
        except InvalidChannel as error:
            raise _rejected(channel, "LimitReached", str(error), _BAD_NAME) from error
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
            raise _error(UNAUTHORIZED, "The signature is not valid.")
        user = _object(user_data, "user_data is not a JSON object.", UNAUTHORIZED)
        user_id = user.get("id")
        if not _is_user_id(user_id):
            raise _error(UNAUTHORIZED, _ID_RULE)
        if self.user is not None and self.user.user_id != user_id:
            raise _error(UNAUTHORIZED, "The connection has signed in as another user.")
        watchlist = user.get("watchlist") or []
        if not isinstance(watchlist, list) or not all(map(_is_user_id, watchlist)):
            raise _error(UNAUTHORIZED, "A watchlist is a list of users' ids.")
        if len(watchlist) > _MAX_WATCHLIST:
            raise _error(WATCHLIST_LIMIT, f"A watchlist has at most {_MAX_WATCHLIST} users.")
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
            if len(data) > self._limits.client_event:
                raise _refused(f"Data has at most {self._limits.client_event} characters.")
            return Relay(Event(channel, check_type(name), data, exclude=self.socket_id))
        except InvalidEvent as error:
            raise _refused(str(error)) from error


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
    if isinstance(data, str):
        with suppress(InvalidEvent):
            return dumps(loads(data))
    return dumps(data)


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
    return _error(CLIENT_EVENT_REFUSED, text)


def _rejected(channel: str, kind: str, text: str, status: int) -> _Wrong:
    return _Wrong(frames.subscription_error(channel, kind, text, status))


def _unauthorized(channel: str, text: str) -> _Wrong:
    return _rejected(channel, "AuthError", text, 401)
