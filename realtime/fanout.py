"""Fan-out: one event to thousands of subscribers, each of whom is touched once, or not at all.

While nothing else is due, an event is written to the descriptors of those who are in line
(`audience`), and goes into the buffer of each other subscriber and out to its connection in one go;
who then has nothing left to wait for steps in line. As soon as anything else happens, whoever has
not been told yet is told as ever: into the buffer at once, from which everything goes out together.
"""

import asyncio
from collections.abc import Iterator
from itertools import islice

from realtime.audience import Audience, Line
from realtime.events import Event
from realtime.subscriber import AnySubscriber, for_all
from realtime.wire import Flusher

_TURN = 0.01
"""Seconds of writing after which others have their turn."""

_STEP = 64
"""Subscribers that are told before the clock is looked at."""

_WRITES = 8
"""Writes to descriptors before it is looked whether another thread has had the interpreter."""

_SLICE = 0.004
"""Seconds that these must not take: Python has a thread wait 5 ms for one that computes."""


class FanOut:
    """Tells subscribers of events, a hub's `Spread`. Belongs to one event loop."""

    def __init__(self, flusher: Flusher) -> None:
        self._flusher = flusher
        self._loop = asyncio.get_running_loop()
        self._event: Event | None = None
        self._lines: list[Line] = []
        self._rest: Iterator[AnySubscriber] = iter(())
        self._steps: Iterator[None] = iter(())

    def tell(self, event: Event, audience: Audience) -> None:
        """Has them told in the next turns of the event loop, or when `settle` is called."""
        self.settle()
        self._event = event
        if for_all(event):
            self._lines, self._rest = audience.lines, iter(audience.others)
            for line in self._lines:
                line.begin(event)
        else:
            self._lines, self._rest = [], iter(list(audience))
        self._steps = self._told(event, audience)
        self._loop.call_soon(self._turn)

    def settle(self) -> None:
        """Whoever has not been told yet is told now."""
        event, self._event = self._event, None
        if event is not None:
            for line in self._lines:
                line.settle()
            for subscriber in self._rest:
                subscriber.deliver(event)

    def _turn(self) -> None:
        # What came in the same turn is due with it, in one write.
        if self._event is None or self._flusher.is_busy:
            self.settle()
            return
        end = self._loop.time() + _TURN
        for _ in self._steps:
            if self._loop.time() > end:
                self._loop.call_soon(self._turn)
                return
        self._event = None

    def _told(self, event: Event, audience: Audience) -> Iterator[None]:
        """Tells those in line, then the others, in steps."""
        encoded: dict[type[AnySubscriber], bytes] = {}
        for line in self._lines:
            if (one := next(iter(line), None)) is not None:
                yield from self._written(line, _encode(event, one, encoded))
        is_for_all = for_all(event)
        while some := list(islice(self._rest, _STEP)):
            for subscriber in some:
                # What `deliver` does, spelt out.
                if not subscriber.accepts(event):
                    continue
                if not is_for_all and subscriber.is_choosy and not subscriber.wants(event):
                    continue
                outlet = subscriber.outlet
                if outlet is None or not outlet.send(_encode(event, subscriber, encoded)):
                    subscriber.write(subscriber.encode(event))
                elif is_for_all:
                    audience.step_in(subscriber)
            yield

    def _written(self, line: Line, data: bytes) -> Iterator[None]:
        limit, begin = 1, self._loop.time()
        while line.tell(data, limit):
            was_alone = self._loop.time() - begin < _SLICE
            yield
            if not was_alone:
                break
            limit, begin = _WRITES, self._loop.time()
        # A thread that computes was given the interpreter, and would be at each other write.
        while line.send(data, _STEP):
            yield


def _encode(
    event: Event, subscriber: AnySubscriber, encoded: dict[type[AnySubscriber], bytes]
) -> bytes:
    """As the connections of all subscribers of one kind carry it; done once for each."""
    data = encoded.get(subscriber.__class__)
    if data is None and subscriber.outlet is not None:
        data = encoded[subscriber.__class__] = subscriber.outlet.encode([subscriber.encode(event)])
    return data or b""
