"""Fan-out, openings and memory: this server beside plain C, nchan and others, in one run.

python -m benchmarks.fanout [--streams 5000] [--events 40] [--burst 100] [--peers ours,plain,…]
"""

import argparse
import json
import os
import statistics
import sys
import time
from dataclasses import asdict, dataclass

from benchmarks.accounting import cpu_seconds, memory_bytes
from benchmarks.load import Load, Report
from benchmarks.peers import Channels, EventStream, Nchan, Ours, Peer, Plain, StoredEventStream

PEERS = {
    "ours": Ours,
    "plain": Plain,
    "nchan": Nchan,
    "eventstream": EventStream,
    "stored": StoredEventStream,
    "channels": Channels,
}
USERS = 100


@dataclass(slots=True)
class Figures:
    """What one server has done. Times in µs or ms by their names, memory in KB."""

    name: str
    streams: int
    opened_per_second: float
    kb_per_stream: float
    cpu_us_per_delivery: float
    deliveries_per_second: float
    burst_cpu_us_per_delivery: float
    burst_deliveries_per_second: float
    idle_p50_ms: float
    idle_p99_ms: float
    bytes_per_event: float
    client_cpu_us_per_delivery: float


def measure(peer: Peer, streams: int, events: int, burst: int) -> Figures:
    """Opens streams, sends events one by one and in bursts."""
    with Load(peer.port, peer.requests(USERS), peer.ready, peer.hello) as load:
        quiet = quiet_delays(peer, load, events)
        before = memory_bytes(peer.pids())
        opening = load.open(streams - 1)
        if opening.failed:
            sys.exit(f"{peer.name}: {opening.failed} streams could not be opened")
        memory = (memory_bytes(peer.pids()) - before) / (streams - 1)
        single, single_cpu, client = fan_out(peer, load, streams, events, 1)
        many, many_cpu, _ = fan_out(peer, load, streams, 5, burst)
    return Figures(
        peer.name,
        streams,
        (streams - 1) / opening.seconds,
        memory / 1024,
        single_cpu * 1e6 / single.events,
        single.events / single.seconds,
        many_cpu * 1e6 / many.events,
        many.events / many.seconds,
        quiet.p50_ms,
        quiet.p99_ms,
        single.bytes / single.events,
        client * 1e6 / single.events,
    )


def quiet_delays(peer: Peer, load: Load, events: int) -> Report:
    """From an event's making to its one reader."""
    load.open(1)
    load.count()
    for number in range(5 * events):
        peer.publish()
        load.wait(number + 1)
    return load.wait(5 * events)


def fan_out(
    peer: Peer, load: Load, streams: int, rounds: int, together: int
) -> tuple[Report, float, float]:
    """Sends to all and waits until all have it, again and again: the sums of all rounds, the
    server's CPU seconds and the client's."""
    begin, client = cpu_seconds(peer.pids()), load.count().cpu
    seconds = 0.0
    for number in range(1, rounds + 1):
        moment = time.monotonic()
        peer.publish_many(together)
        last = load.wait(number * together * streams, 120)
        seconds += time.monotonic() - moment
    if last.events != rounds * together * streams:
        sys.exit(f"{peer.name}: {last.events} deliveries, not {rounds * together * streams}")
    total = Report(**{**asdict(last), "seconds": seconds})
    return total, cpu_seconds(peer.pids()) - begin, last.cpu - client


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--events", type=int, default=40)
    parser.add_argument("--burst", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", default=",".join(PEERS))
    options = parser.parse_args()
    found: dict[str, list[Figures]] = {}
    for _ in range(options.rounds):
        for name in options.peers.split(","):
            peer = PEERS[name]()
            peer.start()
            try:
                figures = measure(peer, options.streams, options.events, options.burst)
            finally:
                peer.stop()
            found.setdefault(name, []).append(figures)
            print(json.dumps(asdict(figures)), flush=True)
    for rounds in found.values():
        rows = [asdict(figures) for figures in rounds]
        median = {
            key: statistics.median(row[key] for row in rows) for key in rows[0] if key != "name"
        }
        print(rows[0]["name"], {key: round(value, 2) for key, value in median.items()})


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")
    main()
