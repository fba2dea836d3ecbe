"""Deliveries without the system: a hub and its streams alone, on transports that take everything.

python -m benchmarks.inside STREAMS (straight | buffered) [crowded]: prints microseconds for each
delivery; if crowded, beside a thread that computes without end.
"""

import asyncio
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")
os.environ.setdefault("DEBUG", "1")
django.setup()

from realtime.events import Batch, Event, EventId  # noqa: E402
from realtime.eventstream import EventStream, StreamWire  # noqa: E402
from realtime.fanout import FanOut  # noqa: E402
from realtime.hub import Hub  # noqa: E402
from realtime.subscriber import Subscription  # noqa: E402
from realtime.wire import Flusher, Loan  # noqa: E402

EVENTS = 200
CROWDED_EVENTS = 20


class Nowhere:
    """A transport that takes everything, and counts how often; its descriptor takes everything,
    too."""

    def __init__(self, descriptor: int) -> None:
        self.written = 0
        self._descriptor = descriptor

    def lend(self, wire: object) -> Loan:
        """As a connection of gunicorn's worker does."""
        return Loan(self, lambda: None, self._descriptor)

    def get_write_buffer_size(self) -> int:
        """Nothing waits."""
        return 0

    def write(self, data: bytes) -> None:
        """Where the system would be called."""
        self.written += 1

    def is_closing(self) -> bool:
        """Never."""
        return False

    def abort(self) -> None:
        """There is nothing to end."""


async def deliver(streams: int, straight: bool, crowded: bool = False) -> float:
    """Microseconds for each delivery: of an event to one stream after the other, or into all
    buffers and then out of them."""
    events = CROWDED_EVENTS if crowded else EVENTS
    flusher = Flusher()
    hub = Hub(_at(0), spread=FanOut(flusher)) if straight else Hub(_at(0))
    descriptor = os.open(os.devnull, os.O_WRONLY)
    transports = [Nowhere(descriptor) for _ in range(streams)]
    for transport in transports:
        stream = EventStream()
        StreamWire(flusher, stream, lambda: None).open(transport.lend)
        hub.subscribe(stream, ["a"], Subscription(_at(0)))
    await _quiet(hub, flusher)
    with _computing() if crowded else nullcontext():
        begin = time.perf_counter()
        for seq in range(1, events + 1):
            event = Event("a", "x", '"' + "x" * 118 + '"', id=_at(seq))
            hub.receive(Batch((event,), _at(seq - 1)))
            await _quiet(hub, flusher)
        seconds = time.perf_counter() - begin
    os.close(descriptor)
    # The first has everybody step in line.
    way = 1 if straight else events
    if not crowded and any(transport.written != way for transport in transports):
        raise RuntimeError("not every stream has got every event in its way")
    return seconds * 1e6 / (events * streams)


@contextmanager
def _computing() -> Iterator[None]:
    over = threading.Event()

    def compute() -> None:
        while not over.is_set():
            sum(range(1000))

    thread = threading.Thread(target=compute)
    thread.start()
    yield
    over.set()
    thread.join()


async def _quiet(hub: Hub, flusher: Flusher) -> None:
    while flusher.is_busy or not hub.is_settled:  # noqa: ASYNC110 - turns are what is measured
        await asyncio.sleep(0)


def _at(seq: int) -> EventId:
    return EventId(seq, "n" * 8)


if __name__ == "__main__":
    print(asyncio.run(deliver(int(sys.argv[1]), sys.argv[2] == "straight", "crowded" in sys.argv)))
