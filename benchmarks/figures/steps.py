"""What is measured of an audience, one after the other: each function answers its columns."""

from benchmarks.figures.audience import Audience, deliver

BURST = 100
EVENTS = 40
SLOW_EVENTS = 4
BURSTS = 5
MISSED = 10
LIMIT = 60.0
"""Seconds that streams have to come back."""


def singles(audience: Audience) -> dict[str, float]:
    """Events one by one: the server's CPU time for each delivery."""
    done = deliver(audience, SLOW_EVENTS if audience.peer.slow else EVENTS, 1)
    return {
        "cpu_us": done.cpu * 1e6 / done.deliveries,
        "rate": done.deliveries / done.seconds,
        "bytes": done.bytes / done.deliveries,
        "client_us": done.client_cpu * 1e6 / done.deliveries,
    }


def bursts(audience: Audience) -> dict[str, float]:
    """Events that are due together. Who takes minutes for that is spared."""
    if audience.peer.slow:
        return {}
    done = deliver(audience, BURSTS, BURST)
    return {
        "burst_rate": done.deliveries / done.seconds,
        "burst_cpu_us": done.cpu * 1e6 / done.deliveries,
    }


def memory(audience: Audience) -> dict[str, float]:
    """Of each idle stream, beyond the server without streams."""
    return {"kilobytes": audience.bytes_per_stream / 1024}


def openings(audience: Audience) -> dict[str, float]:
    """Streams opened, 64 at a time."""
    opening = audience.opening
    return {
        "opened": (audience.streams - 1) / opening.seconds,
        "open_p50_ms": opening.p50_ms,
        "open_p99_ms": opening.p99_ms,
    }


def comeback(audience: Audience) -> dict[str, float]:
    """All connections break, events are sent meanwhile, and all come back at the same moment."""
    peer, load = audience.peer, audience.load
    if not peer.comes_back:
        return {}
    load.drop()
    if peer.replays:
        peer.publish_many(MISSED)
    back = load.reopen(audience.streams, LIMIT)
    missed = load.wait(MISSED * back.open) if peer.replays else None
    if missed and missed.events != MISSED * back.open:
        raise RuntimeError(f"{peer.name}: {missed.events} events were made up for")
    seconds = back.seconds + (missed.seconds if missed else 0)
    return {"resumed": back.open / seconds, "back": 100 * back.open / audience.streams}


STEPS = (openings, memory, singles, bursts, comeback)
