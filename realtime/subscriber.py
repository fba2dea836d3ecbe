"""A subscriber: one open connection, with its subscriptions and what it has yet to be sent.

It knows neither Django nor sockets, and belongs to one event loop.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, Generic, Protocol, TypeVar, final

from realtime.events import Event, EventId
from realtime.names import is_presence

Frame = TypeVar("Frame", bytes, str)

_PATIENCE = 1.0
"""Seconds for which a reader may take nothing although its buffer is full."""
_MOST = 16
"""Buffers that may be filled meanwhile."""


class Outlet(Protocol):
    """Where a subscriber's frames go, if something may go there at once."""

    def encode(self, frames: list[Any]) -> bytes:
        """Frames as the connection carries them. The same for all connections of its kind."""

    def send(self, data: bytes) -> bool:
        """Sends at once what was encoded; False, and does nothing, if something else has to go
        before it."""

    def straight(self, step_out: "Callable[[AnySubscriber], None]") -> int | None:
        """The descriptor that may be written to instead of calling `send`, until `step_out` is
        called with the subscriber; None if there is none, or something has to go before."""

    def complete(self, data: bytes) -> None:
        """Has sent what the descriptor did not take."""


class Subscription:
    """What a connection has of a channel, or of several that it has everything of in common."""

    __slots__ = ("grant", "position")

    def __init__(self, position: EventId, grant: Any = None) -> None:
        self.position = position
        """Up to here the connection has got everything; what is written in line (`audience`) is not
        noted, and is always newer."""
        self.grant = grant
        """On what grounds; None if there is nothing about it that could end."""


class Subscriber(ABC, Generic[Frame]):
    """One open connection: its channels, and a bounded buffer of what it has yet to be sent.

    Each transport has its own kind, which says things in its own frames.
    """

    transport: ClassVar[str] = "sse"
    """Its name, one of `meters.TRANSPORTS`."""

    __slots__ = (
        "__weakref__",
        "_limit",
        "_wake",
        "channels",
        "cut",
        "ended",
        "ending",
        "frames",
        "outlet",
        "request_id",
        "size",
        "slot",
        "socket_id",
        "stalled_since",
    )

    is_choosy: ClassVar[bool] = False
    """Whether `wants` has to be asked of what is not `for_all`."""

    rests_on_more: ClassVar[bool] = False
    """Whether its connection rests on more than the grants of its channels."""

    lasts: ClassVar[bool] = True
    """Whether its subscriptions count among those of their channels."""

    def __init_subclass__(cls) -> None:
        cls.is_choosy = cls.wants is not Subscriber.wants
        cls.rests_on_more = cls.grants is not Subscriber.grants

    def __init__(self, *, limit: int = 256 * 1024, socket_id: str = "") -> None:
        self.channels: dict[str, Subscription] = {}
        self.socket_id = socket_id
        """The name of the connection, by which events may exclude it."""
        self.slot = 0
        """What the connection is counted by, once it is held."""
        self.request_id = ""
        """Of the request that has opened it."""
        self.frames: list[Frame] = []
        self.size = 0
        self.ended = False
        self.ending = ""
        """Why this side has ended it: one of `meters.ENDINGS`."""
        self.cut = False
        """Whether the buffer overflowed: the connection is to be closed without another word."""
        self.outlet: Outlet | None = None
        self.stalled_since: float | None = None
        """Since when, by the monotonic clock, the transport has not taken what it was given."""
        self._limit = limit
        self._wake: Callable[[], None] = _nobody

    # What each transport says in its own way

    @abstractmethod
    def encode(self, event: Event) -> Frame:
        """An event, encoded once for all connections of the transport."""

    @abstractmethod
    def forbid(self, channels: list[str]) -> None:
        """Tells that the connection was taken off these channels, for want of a right."""

    @abstractmethod
    def reset(self, position: EventId, reason: str) -> None:
        """Tells that on all channels something may be missing before `position`."""

    @abstractmethod
    def keep_alive(self, position: EventId | None) -> None:
        """Called every now and then; everything before `position`, if there is one, has been
        written."""

    @abstractmethod
    def retire(self, reason: str = "drained") -> None:
        """Asks the client to come back later: as a rule, this process is about to end."""

    def kick(self) -> None:
        """Ends the connection; it may come back."""
        self.retire("kicked")

    def expel(self) -> None:
        """Ends the connection, which was taken off its channels; it will not be let in again."""
        self.end("revoked")

    def revoke(self, grant: Any) -> None:
        """Called when a grant has ended, after `forbid` for the channels that rested on it."""

    def terminate(self, user_id: str) -> None:
        """Ends the connection if it has signed in as this user."""

    # Grounds

    @property
    def grants(self) -> set[Any]:
        """Everything that the connection rests on."""
        return {held.grant for held in set(self.channels.values()) if held.grant is not None}

    def on_grant(self, grant: Any) -> frozenset[str]:
        """The channels that rest on `grant`."""
        return frozenset(name for name, held in self.channels.items() if held.grant == grant)

    # The buffer

    def on_write(self, wake: Callable[[], None]) -> None:
        """Sets what is called whenever there is something to take, or the end came."""
        self._wake = wake

    @final
    def deliver(self, event: Event) -> None:
        """Writes an event of one of its channels, unless the subscriber has got it already."""
        if self.accepts(event):
            self.replay(event)

    @final
    def accepts(self, event: Event) -> bool:
        """Whether the subscriber has yet to get an event of one of its channels; from now on, it
        has got it."""
        if (position := event.id) is not None:
            subscription = self.channels[event.channel]
            if position.seq <= subscription.position.seq:
                return False
            subscription.position = position
        return True

    @final
    def replay(self, event: Event) -> None:
        """Writes an event of one of its channels, unless the connection has no use for it."""
        if self.wants(event):
            self.write(self.encode(event))

    def wants(self, event: Event) -> bool:
        """Whether the connection has a use for an event of one of its channels. Always, if it is
        `for_all`."""
        return True

    def write(self, frame: Frame) -> None:
        """Appends a frame to the buffer; a reader that leaves too much unread is cut off."""
        if self.ended:
            return
        self.frames.append(frame)
        self.size += len(frame)
        if self.size > self._limit and self._takes_nothing():
            self.abort("overflow")
        self._wake()

    def _takes_nothing(self) -> bool:
        """Whether much waits because of the reader. For one that keeps up, a burst or a frame may
        be larger than the buffer, also while it is still busy with what came before."""
        if self.stalled_since is None:
            return False
        patience_ended = time.monotonic() > self.stalled_since + _PATIENCE
        return patience_ended or self.size > _MOST * self._limit

    def take(self) -> list[Frame]:
        """Everything that waits to be sent."""
        frames, self.frames = self.frames, []
        self.size = 0
        return frames

    def end(self, reason: str = "left") -> None:
        """No more will be written; what waits is still sent. The first reason counts."""
        self.ending = self.ending or reason
        self.ended = True
        self._wake()

    def abort(self, reason: str = "error") -> None:
        """Ends at once: what waits is dropped, the client will resume where it was."""
        self.frames.clear()
        self.size = 0
        self.cut = True
        self.end(reason)


def for_all(event: Event) -> bool:
    """Whether all subscribers of its channel have a use for an event: it is in the log, excludes
    nobody, and tells of no members, whom some may know of already."""
    return event.id is not None and not event.exclude and not is_presence(event.channel)


def _nobody() -> None:
    """Nobody waits yet."""


AnySubscriber = Subscriber[Any]
