"""Fan-out: one event to thousands of subscribers, each of whom is touched once.

What a delivery costs beside the system's write is mostly that its connection's memory is far away:
so while nothing else is due, an event goes into a subscriber's buffer and out to its connection in
one go. As soon as anything else happens, whoever has not been told yet is told as ever: into the
buffer at once, from which everything goes out together.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Any

from realtime.events import Event
from realtime.subscriber import AnySubscriber, for_all
from realtime.wire import Flusher

_TURN = 0.01
"""Seconds of writing after which others have their turn."""

_STEP = 64
"""Subscribers that are told before the clock is looked at."""


class FanOut:
    """Tells subscribers of events, a hub's `Spread`. Belongs to one event loop."""

    def __init__(self, flusher: Flusher) -> None:
        self._flusher = flusher
        self._loop = asyncio.get_running_loop()
        self._event: Event | None = None
        self._rest: Iterator[AnySubscriber] = iter(())
        self._encoded: dict[Any, bytes] = {}

    def tell(self, event: Event, subscribers: list[AnySubscriber]) -> None:
        """Has them told in the next turns of the event loop, or when `settle` is called."""
        self.settle()
        self._event, self._rest, self._encoded = event, iter(subscribers), {}
        self._loop.call_soon(self._turn)

    def settle(self) -> None:
        """Whoever has not been told yet is told now."""
        event, self._event = self._event, None
        if event is not None:
            for subscriber in self._rest:
                subscriber.deliver(event)

    def _turn(self) -> None:
        # What came in the same turn is due with it, in one write.
        if self._event is None or self._flusher.is_busy:
            self.settle()
            return
        event, end, encoded = self._event, self._loop.time() + _TURN, self._encoded
        is_for_all = for_all(event)
        while some := list(islice(self._rest, _STEP)):
            for subscriber in some:
                # What `deliver` does, spelt out: each call here is made millions of times.
                if not subscriber.accepts(event):
                    continue
                if not is_for_all and subscriber.is_choosy and not subscriber.wants(event):
                    continue
                outlet = subscriber.outlet
                if outlet is None:
                    subscriber.write(subscriber.encode(event))
                    continue
                data = encoded.get(subscriber.__class__)
                if data is None:
                    data = encoded[subscriber.__class__] = outlet.encode([subscriber.encode(event)])
                if not outlet.send(data):
                    subscriber.write(subscriber.encode(event))
            if self._loop.time() > end:
                self._loop.call_soon(self._turn)
                return
        self._event = None
