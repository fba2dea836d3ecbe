"""The hub: this worker's open connections, and the recent events they are served from.

It knows neither Django nor sockets, and belongs to one event loop: nothing here may be called from
another thread. All of its methods are synchronous, so that what they do together has no gap.
"""

import random
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView
from typing import Any

from realtime.events import Batch, Event, EventId

_EARLY = 64
"""Batches that may wait for earlier ones; what is thrown out is read from the log."""


class Subscriber:
    """One open connection: its channels, and a bounded buffer of what it has yet to be sent."""

    __slots__ = (
        "__weakref__",
        "_limit",
        "_wake",
        "channels",
        "cut",
        "encode",
        "ended",
        "frames",
        "grant",
        "position",
        "size",
        "socket_id",
        "stalled_since",
    )

    def __init__(
        self,
        channels: Iterable[str],
        position: EventId,
        encode: Callable[[Event], bytes],
        *,
        grant: Any = None,
        limit: int = 256 * 1024,
        socket_id: str = "",
    ) -> None:
        self.channels = set(channels)
        self.position = position
        """Up to here the subscriber has got everything."""
        self.encode = encode
        self.grant = grant
        self.socket_id = socket_id
        """The name of the connection, by which events may exclude it."""
        self.frames: list[bytes] = []
        self.size = 0
        self.ended = False
        self.cut = False
        """Whether the buffer overflowed: the connection is to be closed without another word."""
        self.stalled_since: float | None = None
        """Since when the transport has not taken what it was given."""
        self._limit = limit
        self._wake: Callable[[], None] = _nobody

    def on_write(self, wake: Callable[[], None]) -> None:
        """Sets what is called whenever there is something to take, or the end came."""
        self._wake = wake

    def deliver(self, event: Event) -> None:
        """Writes an event, unless the subscriber has got it already."""
        if event.id is not None:
            if event.id.seq <= self.position.seq:
                return
            self.position = event.id
        if not event.exclude or event.exclude != self.socket_id:
            self.write(self.encode(event))

    def write(self, frame: bytes) -> None:
        """Appends a frame to the buffer; a reader that leaves too much unread is cut off."""
        if self.ended:
            return
        self.frames.append(frame)
        self.size += len(frame)
        # Only while nothing is taken: for a reader that keeps up, a burst or a frame may be larger.
        if self.size > self._limit and self.stalled_since is not None:
            self.abort()
        self._wake()

    def take(self) -> bytes:
        """Everything that waits to be sent, as one piece."""
        chunk = b"".join(self.frames)
        self.frames.clear()
        self.size = 0
        return chunk

    def end(self) -> None:
        """No more will be written; what waits is still sent."""
        self.ended = True
        self._wake()

    def abort(self) -> None:
        """Ends at once: what waits is dropped, the client will resume where it was."""
        self.frames.clear()
        self.size = 0
        self.cut = True
        self.end()


def _nobody() -> None:
    """Nobody waits yet."""


def _ignored(channel: str, subscriber: Subscriber, begins: bool) -> None:
    """Nobody wants to know."""


class Hub:
    """Hands each event, in the log's order, to the subscribers of its channel."""

    def __init__(self, position: EventId, ring: int = 4096) -> None:
        self.position = position
        """The newest event that was dispatched."""
        self._ring: deque[Event] = deque(maxlen=ring)
        self._before_ring = position
        self._early: deque[Batch] = deque(maxlen=_EARLY)
        self._subscribers: dict[str, dict[Subscriber, None]] = {}
        self._all: dict[Subscriber, None] = {}
        self._on_change: Callable[[str, Subscriber, bool], None] = _ignored

    def on_change(self, told: Callable[[str, Subscriber, bool], None]) -> None:
        """Sets what is told of each subscription that begins or ends: the channel, whose it is, and
        whether it begins."""
        self._on_change = told

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, subscriber: object) -> bool:
        return subscriber in self._all

    def __iter__(self) -> Iterator[Subscriber]:
        return iter(list(self._all))

    def subscribed(self, channel: str) -> list[Subscriber]:
        """The subscribers of a channel."""
        return list(self._subscribers.get(channel, ()))

    @property
    def channels(self) -> KeysView[str]:
        """The channels that somebody is subscribed to."""
        return self._subscribers.keys()

    def subscribe(self, subscriber: Subscriber) -> bool:
        """Attaches a subscriber where its position is, writing what it has missed since.

        Answers False, and does nothing, when that is older than what the hub remembers: then the
        caller reads on in the log and tries again. There is no moment between the recent events
        and the live ones, for this runs in one step of the event loop.
        """
        missed = self.since(subscriber.position)
        if missed is None:
            return False
        self._all[subscriber] = None
        for channel in subscriber.channels:
            self._subscribers.setdefault(channel, {})[subscriber] = None
            self._on_change(channel, subscriber, True)
        for event in missed:
            if event.channel in subscriber.channels:
                subscriber.deliver(event)
        return True

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Forgets a subscriber; safe to repeat."""
        if subscriber not in self._all:
            return
        del self._all[subscriber]
        for channel in subscriber.channels:
            self._leave(subscriber, channel)

    def drop(self, subscriber: Subscriber, channels: Collection[str]) -> None:
        """Ends the subscriptions of one subscriber to some of its channels."""
        for channel in subscriber.channels & set(channels):
            subscriber.channels.discard(channel)
            self._leave(subscriber, channel)

    def receive(self, batch: Batch) -> tuple[list[Event], bool]:
        """Dispatches the numbered events that come next; answers them, and whether one is missing.

        Only what follows the hub's position, by number and nonce, comes next; so batches may come
        twice, late, or from another log. One that comes too early waits for what is before it.
        """
        dispatched, hole = self._continue(batch)
        # A batch that follows nothing we know, now or later, is from another log.
        if hole and hole.seq > self.position.seq:
            self._early.append(batch)
        elif dispatched:
            waiting, self._early = self._early, deque(maxlen=_EARLY)
            for early in waiting:
                dispatched += self.receive(early)[0]
        return dispatched, bool(hole or self._early)

    def _continue(self, batch: Batch) -> tuple[list[Event], EventId | None]:
        """Dispatches; answers where that would have had to go on, if it was not here."""
        dispatched: list[Event] = []
        before = batch.after
        for event in batch.events:
            if event.position.seq > self.position.seq:
                if before != self.position:
                    return dispatched, before
                self._dispatch(event)
                dispatched.append(event)
            before = event.position
        return dispatched, None

    def broadcast(self, event: Event) -> None:
        """Hands an ephemeral event to the subscribers of its channel."""
        for subscriber in self.subscribed(event.channel):
            subscriber.deliver(event)

    def restart(self, position: EventId) -> None:
        """Goes on from another position of the log, or of another log, with nothing remembered."""
        self._ring.clear()
        self._early.clear()
        self.position = self._before_ring = position
        for subscriber in self._all:
            subscriber.position = position

    def _dispatch(self, event: Event) -> None:
        if len(self._ring) == self._ring.maxlen:
            self._before_ring = self._ring[0].position
        self._ring.append(event)
        self.position = event.position
        for subscriber in self.subscribed(event.channel):
            subscriber.deliver(event)

    def since(self, position: EventId) -> list[Event] | None:
        """The events after `position`, of all channels; None if that is not remembered any more."""
        missing = self.position.seq - position.seq
        if missing <= 0:
            return []
        if position.seq < self._before_ring.seq:
            return None
        return list(self._ring)[-missing:]

    def remembers(self, position: EventId) -> bool:
        """Whether all that came after `position` is here. May be called from any thread: if the
        hub moves on meanwhile, the answer is at worst a No, and the log is asked."""
        newest = self.position
        if position == newest:
            return True
        missing = newest.seq - position.seq
        try:
            return missing > 0 and self._ring[-missing - 1].position == position
        except IndexError:
            return False

    def _leave(self, subscriber: Subscriber, channel: str) -> None:
        subscribers = self._subscribers.get(channel, {})
        subscribers.pop(subscriber, None)
        if not subscribers:
            self._subscribers.pop(channel, None)
        self._on_change(channel, subscriber, False)


def jittered(mean: float) -> float:
    """A delay of 50 to 150 % of `mean`, so that those who were dropped together come back apart."""
    return mean * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
