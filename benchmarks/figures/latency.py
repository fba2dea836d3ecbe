"""Latency: from a row's commit to the client, on a server that has nothing else to do."""

import time
from contextlib import ExitStack

from benchmarks.data import Column, Figure, Goal, Plot, Row
from benchmarks.figures import Scale
from benchmarks.load import Load
from benchmarks.peers.ours import Ours
from benchmarks.peers.projects import EventStream

EVENTS = 300
PAUSE = 0.01
"""Seconds between two writes."""


class _Watched:
    """A server with one stream, whose commits are noted."""

    def __init__(self, stack: ExitStack, kind: type[Ours] | type[EventStream], label: str) -> None:
        peer = kind()
        self.commits = peer.folder / "commits"
        environ = {"BENCH_COMMITS": str(self.commits)}
        if isinstance(peer, Ours):
            peer.server.environ |= environ | {"DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
        else:
            peer.environ |= environ
        self.peer = stack.enter_context(peer)
        self.load: Load = stack.enter_context(self.peer.load())
        self.load.open(1)
        self.label = label

    def measure(self, count: int) -> dict[str, list[float]]:
        """Delays of events in ms: from their rows' commits, and from their requests."""
        found: dict[str, list[float]] = {"commit": [], "request": []}
        for _ in range(count):
            self.load.count()
            time.sleep(PAUSE)
            begun, seen = time.monotonic(), self.commits.stat().st_size
            self.peer.write()
            arrived = self.load.wait(1).last
            found["commit"].append((arrived - self._committed(seen)) * 1000)
            found["request"].append((arrived - begun) * 1000)
        return found

    def _committed(self, seen: int) -> float:
        """When the first commit after those that were seen was."""
        return float(self.commits.read_bytes()[seen:].split(b"\n", 1)[0])


def measure(scale: Scale) -> list[Figure]:
    """This server and django-eventstream in turn."""
    missing = {EventStream.name: reason} if (reason := EventStream.missing()) else {}
    with ExitStack() as stack:
        watched = [_Watched(stack, Ours, Ours.name)]
        if not missing:
            watched.append(_Watched(stack, EventStream, EventStream.name))
        rows = [Row(one.label) for one in watched]
        for one in watched:
            one.measure(30)  # The first ones load what is loaded later.
        for _ in range(scale.rounds):
            for one, row in zip(watched, rows, strict=True):
                row.add(_percentiles(one.measure(EVENTS)))
    ours, theirs = Ours.name, EventStream.name
    return [
        Figure(
            "latency",
            "From commit to client",
            "One stream on an idle server; a request writes a row, whose commit is noted by the"
            f" server itself. {EVENTS} writes a round, {PAUSE * 1000:g} ms apart."
            " django-eventstream has no storage, and so no log to write and read; its view sends"
            " the event after the commit.",
            "python -m benchmarks latency",
            [
                Column("p50", "p50, ms", 2),
                Column("p99", "p99, ms", 2),
                Column("request_p50", "from the request: p50, ms", 2),
                Column("request_p99", "p99, ms", 2),
            ],
            rows,
            [
                Goal("p50: this server / django-eventstream", "p50", ours, theirs, most=1),
                Goal("p99: this server / django-eventstream", "p99", ours, theirs, most=1),
            ],
            [Plot("p50")],
            missing,
        )
    ]


def _percentiles(found: dict[str, list[float]]) -> dict[str, float]:
    answer = {}
    for key, prefix in (("commit", ""), ("request", "request_")):
        delays = sorted(found[key])
        answer[f"{prefix}p50"] = delays[len(delays) // 2]
        answer[f"{prefix}p99"] = delays[int(len(delays) * 0.99)]
    return answer
