"""Writes: what publishing adds to a POST."""

from contextlib import ExitStack

from benchmarks import wrk
from benchmarks.accounting import CpuClock
from benchmarks.data import Column, Figure, Goal, Plot, Row
from benchmarks.figures import Scale
from benchmarks.peers.ours import Ours

SECONDS = 4
BODY = '{"todo_list": 1, "text": "Bread"}'
PUBLISHED, SILENT = "this server, published", "the same without publishing"


def measure(scale: Scale) -> list[Figure]:
    """The same POST with the models registered and without, in turn."""
    goals = [
        Goal("a POST's time with publishing / without", "rate", SILENT, PUBLISHED, most=1.25),
        Goal("one after the other", "alone", SILENT, PUBLISHED, most=1.25),
        Goal("its CPU time", "cpu_ms", PUBLISHED, SILENT, most=1.25),
    ]
    missing = {"all": reason} if (reason := wrk.missing()) else {}
    rows = [] if missing else _rounds(scale)
    return [
        Figure(
            "writes",
            "A POST with publishing",
            "`POST /api/todo-items/`, which appends one event, each side with a database of its own"
            " (SQLite); one worker, 8 connections, then one. The other side is the same application"
            " with no publisher registered. A stream is open on the list's channel. CPU is of the"
            " server's processes, sequencing and delivery included.",
            "python -m benchmarks writes",
            [
                Column("rate", "POSTs/s, 8 connections", 0),
                Column("alone", "POSTs/s, one connection", 0),
                Column("cpu_ms", "ms of CPU a POST", 2),
            ],
            rows,
            goals,
            [Plot("rate")] if rows else [],
            missing,
        )
    ]


def _rounds(scale: Scale) -> list[Row]:
    silence = {"DJANGO_SETTINGS_MODULE": "benchmarks.settings", "BENCH_SILENT": "1"}
    with ExitStack() as stack:
        sides = {
            PUBLISHED: stack.enter_context(Ours()),
            SILENT: stack.enter_context(Ours(**silence)),
        }
        for peer in sides.values():
            stack.enter_context(peer.load()).open(1)
            _posts(peer, 1, 8)
        rows = [Row(label) for label in sides]
        for _ in range(2 * scale.rounds):
            for row, peer in zip(rows, sides.values(), strict=True):
                row.add(_round(peer))
    return rows


def _round(peer: Ours) -> dict[str, float]:
    clock = CpuClock(peer.pids)
    rate = _posts(peer, SECONDS, 8)
    cpu = clock.seconds()
    return {
        "rate": rate,
        "cpu_ms": cpu * 1000 / (rate * SECONDS),
        "alone": _posts(peer, SECONDS / 2, 1),
    }


def _posts(peer: Ours, seconds: float, connections: int) -> float:
    url = f"{peer.server.url}/api/todo-items/"
    return wrk.rate(url, peer.tokens[0], seconds, connections, BODY)
