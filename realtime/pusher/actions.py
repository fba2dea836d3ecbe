"""What a client asks for in Pusher's protocol, once it is understood. Pure."""

from dataclasses import dataclass
from typing import Any

from realtime.events import Event, EventId


@dataclass(frozen=True, slots=True)
class Member:
    """Who somebody is to the others on a presence channel."""

    user_id: str
    info: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this."""

    frame: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer that the connection lives, and how far it has got if that is at least `after`."""

    after: EventId | None = None


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
