"""A server with thousands of streams of one channel, which `fanout` visits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.accounting import CpuClock, memory_bytes
from benchmarks.load import Load, Report
from benchmarks.peers.base import Peer

LEAST = 0.99
"""Share of the streams that must have been opened."""
SETTLE = 2.0
"""Seconds after which what opening has left behind counts as done with."""
PATIENCE = 60.0
"""Seconds that all may take to get what was sent together."""


@dataclass(slots=True)
class Audience:
    """The server, its streams, and how they came to be open."""

    peer: Peer
    load: Load
    streams: int
    opening: Report
    bytes_per_stream: float


@contextmanager
def gathered(kind: type[Peer], streams: int) -> Iterator[Audience]:
    """Starts a server and opens streams; fails if too many of them can't be opened."""
    with kind() as peer, peer.load() as load:
        load.open(1)
        for number in range(5):
            peer.publish()
            load.wait(number + 1)
        before = memory_bytes(peer.pids())
        opening = load.open(streams - 1, peer.together)
        if opening.open < LEAST * streams:
            raise RuntimeError(f"{peer.name}: {opening.failed} streams could not be opened")
        time.sleep(SETTLE)
        memory = memory_bytes(peer.pids()) - before
        yield Audience(peer, load, opening.open, opening, memory / (opening.open - 1))


@dataclass(slots=True)
class Delivery:
    """What it took to deliver something to all, in seconds."""

    deliveries: int
    bytes: int
    seconds: float
    cpu: float
    client_cpu: float


def deliver(audience: Audience, rounds: int, together: int) -> Delivery:
    """Sends `together` events to all and waits until all have them, again and again."""
    peer, load = audience.peer, audience.load
    clock, client = CpuClock(peer.pids), load.count().cpu
    seconds = 0.0
    for number in range(1, rounds + 1):
        moment = time.monotonic()
        peer.publish_many(together)
        expected = number * together * audience.streams
        last = load.wait(expected, PATIENCE)
        seconds += time.monotonic() - moment
        if last.events < expected:
            raise RuntimeError(f"after {PATIENCE:g} s, {last.events} deliveries, not {expected}")
    return Delivery(last.events, last.bytes, seconds, clock.seconds(), last.cpu - client)
