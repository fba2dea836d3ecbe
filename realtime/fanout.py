"""Fan-out: one event to thousands of subscribers, each of whom is touched once, or not at all.

While nothing else is due, an event is written to the descriptors of those who are in line
(`audience`), and goes into the buffer of each other subscriber and out to its connection in one go;
who then has nothing left to wait for steps in line. As soon as anything else happens, whoever has
not been told yet is told as ever: into the buffer at once, from which everything goes out together.
"""

import asyncio
import resource
from collections.abc import Generator, Iterator
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

_AT_FIRST = 4
"""Steps in another way before it is tried again whether a thread still computes."""
_LONGER = 4
"""How many times as many steps that is each time."""

_COUNTED = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
"""Whose waiting is counted; other systems than Linux know it of all threads together only."""


class FanOut:
    """Tells subscribers of events, a hub's `Spread`. Belongs to one event loop."""

    def __init__(self, flusher: Flusher) -> None:
        self._flusher = flusher
        self._loop = asyncio.get_running_loop()
        self._event: Event | None = None
        self._lines: list[Line] = []
        self._rest: Iterator[AnySubscriber] = iter(())
        self._steps: Iterator[None] = iter(())

    @property
    def is_settled(self) -> bool:
        """Whether everybody has been told."""
        return self._event is None

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
        if self._event is None:
            return
        if self._flusher.is_busy:
            # What came in the same turn is due with it, in one write. To those in line, nothing is.
            for subscriber in self._rest:
                subscriber.deliver(self._event)
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
                if subscriber.ended or not subscriber.accepts(event):
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
        """Writes to descriptors, but not for long beside a thread that computes: it is given the
        interpreter then, and would be at each other write."""
        steps = _AT_FIRST
        while (yield from self._written_alone(line, data)):
            for _ in range(steps):
                if not line.send(data, _STEP):
                    return
                yield
            steps *= _LONGER

    def _written_alone(self, line: Line, data: bytes) -> Generator[None, None, bool]:
        """Writes until all is written, or a thread computes; answers whether some are left."""
        limit = 1
        while True:
            begin, waits = self._loop.time(), _waits()
            if not line.tell(data, limit):
                return False
            if self._loop.time() - begin > _SLICE and _waits() != waits:
                return True
            limit = _WRITES
            yield


def _waits() -> int:
    """How often this thread has waited, for the interpreter for one. It is no waiting, though it
    takes as long, when the system has other processes run for a while."""
    return resource.getrusage(_COUNTED).ru_nvcsw


def _encode(
    event: Event, subscriber: AnySubscriber, encoded: dict[type[AnySubscriber], bytes]
) -> bytes:
    """As the connections of all subscribers of one kind carry it; done once for each."""
    data = encoded.get(subscriber.__class__)
    if data is None and subscriber.outlet is not None:
        data = encoded[subscriber.__class__] = subscriber.outlet.encode([subscriber.encode(event)])
    return data or b""
