"""50,000 idle streams on one machine, and one event to all of them."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks.accounting import CpuClock, memory_bytes
from benchmarks.data import Column, Figure, Goal, Plot, Row
from benchmarks.figures import Scale
from benchmarks.load import Load
from benchmarks.peers.base import Peer
from benchmarks.peers.plain import Plain
from benchmarks.peers.production import InProduction

STREAMS = 50_000
PROCESSES = 4
"""Workers, and load clients: a process may open 20,000 files."""
USERS = 500
EVENTS = 5
OURS, PLAIN = "this server, 4 workers", "plain C epoll, 4 processes"


def measure(scale: Scale) -> list[Figure]:
    """This server and plain C in turn."""
    rows = [Row(OURS), Row(PLAIN)]
    for _ in range(scale.rounds):
        with InProduction(PROCESSES, USERS, REALTIME_MAX_STREAMS_PER_USER="200") as ours:
            rows[0].add(_measure([ours]))
        with ExitStack() as stack:
            rows[1].add(_measure([stack.enter_context(Plain()) for _ in range(PROCESSES)]))
    return [
        Figure(
            "crowd",
            f"{STREAMS:,} streams on one machine",
            f"{PROCESSES} processes serve and {PROCESSES} are clients; {EVENTS} events of 150 bytes"
            " to all of them, one after the other: from before an event is sent until the last"
            f" stream has it. {USERS:,} users; PostgreSQL and Redis, whose CPU and memory count.",
            "python -m benchmarks crowd",
            [
                Column("seconds", "s until all have it", 2),
                Column("cpu_us", "µs of CPU a delivery", 2),
                Column("kilobytes", "KB a stream", 1),
                Column("opened", "opened/s", 0),
            ],
            rows,
            [Goal("this server / plain C", "seconds", OURS, PLAIN, most=2)],
            [Plot("seconds")],
        )
    ]


def _measure(servers: Sequence[Peer]) -> dict[str, float]:
    """Of one server that all clients use, or of as many as there are clients."""
    each = STREAMS // PROCESSES
    with ExitStack() as stack:
        pool = stack.enter_context(ThreadPoolExecutor(PROCESSES))
        loads = [
            stack.enter_context(servers[n % len(servers)].load(f"127.0.0.{n + 2}"))
            for n in range(PROCESSES)
        ]
        pids = [pid for server in servers for pid in server.pids()]
        memory, begin = memory_bytes(pids), time.monotonic()
        opened = list(pool.map(lambda load: load.open(each, seconds=900), loads))
        if failed := sum(report.failed for report in opened):
            raise RuntimeError(f"{failed} streams could not be opened")
        seconds = time.monotonic() - begin
        memory = memory_bytes(pids) - memory
        clock = CpuClock(lambda: pids)
        delays = [_tell(servers, loads, pool, each) for _ in range(EVENTS)]
        cpu = clock.seconds()
    return {
        "seconds": sorted(delays)[EVENTS // 2],
        "cpu_us": cpu * 1e6 / (EVENTS * STREAMS),
        "kilobytes": memory / 1024 / STREAMS,
        "opened": STREAMS / seconds,
    }


def _tell(
    servers: Sequence[Peer], loads: Sequence[Load], pool: ThreadPoolExecutor, each: int
) -> float:
    """Seconds from sending an event to its last arrival."""
    for load in loads:
        load.count()
    begin = time.monotonic()
    list(pool.map(lambda server: server.publish(), servers))
    seen = list(pool.map(lambda load: load.wait(each), loads))
    if any(report.events != each for report in seen):
        raise RuntimeError(f"{[report.events for report in seen]} deliveries, not {each} each")
    return max(report.last for report in seen) - begin
