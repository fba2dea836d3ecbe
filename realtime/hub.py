"""The hub: this worker's open connections, and the recent events they are served from.

It knows neither Django nor sockets, and belongs to one event loop: nothing here may be called from
another thread. All of its methods are synchronous, so that what they do together has no gap.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, KeysView
from typing import Any, Protocol

from realtime import meters
from realtime.audience import Audience, is_agile
from realtime.events import Batch, Event, EventId
from realtime.subscriber import AnySubscriber, Subscription

_DELIVERED = meters.DELIVERED.slot()

_EARLY = 64
"""Batches that may wait for earlier ones; what is thrown out is read from the log."""


def _ignored(channel: str, subscriber: AnySubscriber, begins: bool) -> None:
    """Nobody wants to know."""


class Spread(Protocol):
    """How subscribers are told of an event."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is put off."""

    def tell(self, event: Event, audience: Audience) -> None:
        """Delivers an event, now or a little later; one event after the other."""

    def settle(self) -> None:
        """Delivers now what was put off."""


class AtOnce:
    """Nothing is put off."""

    is_settled = True

    def tell(self, event: Event, audience: Audience) -> None:
        """Delivers an event."""
        for subscriber in list(audience):
            subscriber.deliver(event)

    def settle(self) -> None:
        """There is nothing to deliver."""


class Hub:
    """Hands each event, in the log's order, to the subscribers of its channel.

    A `spread` may put that off; but whatever tells subscribers anything else, or changes what they
    are subscribed to, finds them told of all events that were dispatched. Who comes, goes or only
    looks does not.
    """

    def __init__(self, position: EventId, ring: int = 4096, spread: Spread | None = None) -> None:
        self._spread = spread or AtOnce()
        self.position = position
        """The newest event that was dispatched."""
        self._ring: deque[Event] = deque(maxlen=ring)
        self._before_ring = position
        self._early: deque[Batch] = deque(maxlen=_EARLY)
        self._audiences: dict[str, Audience] = {}
        self._all: dict[AnySubscriber, None] = {}
        self._grants: Counter[Any] = Counter()
        """How many channels of subscribers rest on each."""
        self._resting_on_more: dict[AnySubscriber, None] = {}
        self._on_change: Callable[[str, AnySubscriber, bool], None] = _ignored

    def on_change(self, told: Callable[[str, AnySubscriber, bool], None]) -> None:
        """Sets what is told of each subscription that begins or ends: the channel, whose it is, and
        whether it begins."""
        self._on_change = told

    def __len__(self) -> int:
        return len(self._all)

    @property
    def is_settled(self) -> bool:
        """Whether all have been told of all events that were dispatched."""
        return self._spread.is_settled

    def __contains__(self, subscriber: object) -> bool:
        return subscriber in self._all

    def __iter__(self) -> Iterator[AnySubscriber]:
        self._spread.settle()
        return iter(self.subscribers)

    @property
    def subscribers(self) -> list[AnySubscriber]:
        """All of them, some of whom may have yet to be told of the newest event: for whoever only
        looks, since that takes less time when nothing comes between."""
        return list(self._all)

    def subscribed(self, channel: str) -> list[AnySubscriber]:
        """The subscribers of a channel, as `subscribers`."""
        return list(self._audiences.get(channel, ()))

    @property
    def channels(self) -> KeysView[str]:
        """The channels that somebody is subscribed to."""
        return self._audiences.keys()

    @property
    def grants(self) -> set[Any]:
        """Everything that connections rest on. They are counted as they come and go: to look at
        thousands of connections every few seconds would take longer than to ask about them."""
        return set(self._grants).union(*(one.grants for one in self._resting_on_more))

    def attach(self, subscriber: AnySubscriber) -> None:
        """Takes in a subscriber, which may have no channels yet."""
        if subscriber in self._all:
            return
        self._all[subscriber] = None
        for held in subscriber.channels.values():
            self._hold(held)
        if subscriber.rests_on_more:
            self._resting_on_more[subscriber] = None

    def subscribe(
        self, subscriber: AnySubscriber, channels: Collection[str], subscription: Subscription
    ) -> bool:
        """Adds channels from a position on, writing what was missed since.

        Answers False, and does nothing, when that is older than what the hub remembers: then the
        caller reads on in the log and tries again. There is no moment between the recent events
        and the live ones, for this runs in one step of the event loop.
        """
        missed = self.since(subscription.position)
        if missed is None:
            return False
        if subscriber.channels:
            self._spread.settle()
        self.attach(subscriber)
        self._release(subscriber, subscriber.channels.keys() & channels)
        for channel in channels:
            self._hold(subscription)
            subscriber.channels[channel] = subscription
            if (audience := self._audiences.get(channel)) is None:
                audience = self._audiences[channel] = Audience(self._step_out)
            audience.add(subscriber)
            self._on_change(channel, subscriber, True)
        for event in missed:
            if event.channel in channels:
                subscriber.deliver(event)
        return True

    def unsubscribe(self, subscriber: AnySubscriber) -> None:
        """Forgets a subscriber whose connection has ended; safe to repeat."""
        if subscriber not in self._all:
            return
        self._release(subscriber, subscriber.channels)
        self._resting_on_more.pop(subscriber, None)
        del self._all[subscriber]
        for channel in subscriber.channels:
            self._leave(subscriber, channel)

    def drop(self, subscriber: AnySubscriber, channels: Collection[str]) -> None:
        """Ends the subscriptions of one subscriber to some of its channels."""
        self._spread.settle()
        dropped = subscriber.channels.keys() & channels
        self._release(subscriber, dropped)
        for channel in dropped:
            del subscriber.channels[channel]
            self._leave(subscriber, channel)

    def is_level(self, subscriber: AnySubscriber) -> bool:
        """Whether a subscriber has got everything on its channels up to the hub's position, and
        nothing after it."""
        self._spread.settle()
        return subscriber in self._all and not self._is_ahead(subscriber)

    def step_in(self, subscriber: AnySubscriber) -> None:
        """To be called when nothing waits for a subscriber any more: it may stand in line on its
        channels. Not one that has read further in the log, for what comes in line is not held
        against what it has got."""
        if is_agile(subscriber) and subscriber in self._all and not self._is_ahead(subscriber):
            for channel in subscriber.channels:
                self._audiences[channel].step_in(subscriber)

    def _is_ahead(self, subscriber: AnySubscriber) -> bool:
        seq = self.position.seq
        return any(held.position.seq > seq for held in set(subscriber.channels.values()))

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
        self._deliver(event)

    def restart(self, position: EventId) -> None:
        """Goes on from another position of the log, or of another log, with nothing remembered."""
        self._spread.settle()
        self._ring.clear()
        self._early.clear()
        self.position = self._before_ring = position
        for subscriber in self._all:
            for subscription in subscriber.channels.values():
                subscription.position = position

    def _dispatch(self, event: Event) -> None:
        if len(self._ring) == self._ring.maxlen:
            self._before_ring = self._ring[0].position
        self._ring.append(event)
        self.position = event.position
        self._deliver(event)

    def _deliver(self, event: Event) -> None:
        if (audience := self._audiences.get(event.channel)) is not None:
            meters.values[_DELIVERED] += len(audience)
            self._spread.tell(event, audience)

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
        if position in (newest, self._before_ring):
            return True
        missing = newest.seq - position.seq
        try:
            return missing > 0 and self._ring[-missing - 1].position == position
        except IndexError:
            return False

    def _hold(self, subscription: Subscription) -> None:
        if subscription.grant is not None:
            self._grants[subscription.grant] += 1

    def _release(self, subscriber: AnySubscriber, channels: Iterable[str]) -> None:
        # Once only: who has left has released all it had.
        for channel in channels if subscriber in self._all else ():
            if (grant := subscriber.channels[channel].grant) is not None:
                self._grants[grant] -= 1
                if not self._grants[grant]:
                    del self._grants[grant]

    def _leave(self, subscriber: AnySubscriber, channel: str) -> None:
        if (audience := self._audiences.get(channel)) is not None:
            audience.remove(subscriber)
            if not audience:
                del self._audiences[channel]
        self._on_change(channel, subscriber, False)

    def _step_out(self, subscriber: AnySubscriber) -> None:
        for channel in subscriber.channels:
            if (audience := self._audiences.get(channel)) is not None:
                audience.step_out(subscriber)


def jittered(mean: float) -> float:
    """A delay of 50 to 150 % of `mean`, so that those who were dropped together come back apart."""
    return mean * random.uniform(0.5, 1.5)  # noqa: S311 - spreads load, guards nothing
