"""Fan-out: thousands of streams of one channel, on this server and on others in turn."""

import sys
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.data import Column, Figure, Goal, Plot, Row
from benchmarks.figures import Scale
from benchmarks.figures.audience import gathered
from benchmarks.figures.steps import BURST, MISSED, STEPS
from benchmarks.peers.base import Peer
from benchmarks.peers.nchan import Nchan
from benchmarks.peers.node import Node
from benchmarks.peers.ours import ByPlainWorker, ByUvicorn, Ours, OverWebSocket
from benchmarks.peers.plain import Plain
from benchmarks.peers.projects import Channels, EventStream, StoredEventStream

OURS = Ours.name
COMMAND = "python -m benchmarks fanout"
MAIN: tuple[type[Peer], ...] = (Ours, OverWebSocket, Plain, Nchan, Node)
"""Measured in each round."""
BESIDE: tuple[type[Peer], ...] = (ByPlainWorker, ByUvicorn, EventStream, Channels)
"""Measured in the first round, and in the others of a full run."""
SLOWEST: tuple[type[Peer], ...] = (StoredEventStream,)
"""Measured only in a full run, once."""


def measure(scale: Scale) -> list[Figure]:
    """Deliveries, bursts, memory and openings. Ctrl-C ends it early, with what there is."""
    rows: dict[str, Row] = {}
    missing: dict[str, str] = {}
    turns = [
        kind
        for number in range(scale.rounds)
        for kind in (*MAIN, *BESIDE, *SLOWEST)
        if _has_turn(kind, number, scale)
    ]
    with suppress(KeyboardInterrupt):
        for kind in turns:
            if reason := kind.missing():
                missing[kind.name] = reason
                continue
            try:
                found = visit(kind, scale.streams)
            except (RuntimeError, AssertionError, OSError) as error:
                print(f"{kind.name}: {error}", file=sys.stderr)
                missing[kind.name] = str(error)
                continue
            rows.setdefault(kind.name, Row(kind.name, note=kind.note)).add(found)
    return figures(list(rows.values()), missing, scale.streams)


def visit(kind: type[Peer], streams: int) -> dict[str, float]:
    """All that is measured of one server in one round."""
    found: dict[str, float] = {}
    with gathered(kind, streams) as audience:
        for step in STEPS:
            found |= (values := step(audience))
            if values:
                shown = ", ".join(f"{key} {value:.2f}" for key, value in values.items())
                print(f"  {kind.name}: {shown}", flush=True)
    return found


def _has_turn(kind: type[Peer], number: int, scale: Scale) -> bool:
    if kind in SLOWEST:
        return scale.full and number == 0
    return kind in MAIN or number < scale.slow_rounds


def figures(rows: list[Row], missing: dict[str, str], streams: int) -> list[Figure]:
    """What was measured, as tables."""
    tables = Tables(rows, missing, streams)
    return [_deliveries(tables), _bursts(tables), _memory(tables), _openings(tables)]


@dataclass(frozen=True, slots=True)
class Tables:
    """Makes tables of what was measured of servers with so many streams."""

    rows: list[Row]
    missing: dict[str, str]
    streams: int

    @property
    def crowd(self) -> str:
        """Who listened, in words."""
        return f"{self.streams:,} streams of one channel, one worker"

    def of(self, columns: list[Column], name: str, title: str, how: str, *goals: Goal) -> Figure:
        """A table of the rows that have its first column, which is plotted."""
        shown = [row for row in self.rows if columns[0].key in row.samples]
        plots = [Plot(columns[0].key, logarithmic=name == "fanout")]
        missing = dict(self.missing)
        return Figure(name, title, how, COMMAND, columns, shown, list(goals), plots, missing)


def _deliveries(tables: Tables) -> Figure:
    return tables.of(
        [
            Column("cpu_us", "µs of CPU a delivery", 2),
            Column("rate", "deliveries/s", 0),
            Column("bytes", "bytes on the wire", 0),
            Column("client_us", "the load client's own µs", 2),
        ],
        "fanout",
        "Server CPU for each delivery",
        f"{tables.crowd}; events of 150 bytes, one at a time, the next when all have the last."
        " User and system time of all of the server's processes, by the kernel's accounting;"
        " publishing included.",
        Goal("this server / plain C", "cpu_us", OURS, Plain.name, most=1.25),
        Goal("this server / nchan", "cpu_us", OURS, Nchan.name, most=1),
        Goal("WebSocket / SSE", "cpu_us", OverWebSocket.name, OURS, most=1),
        Goal("django-eventstream / this server", "cpu_us", EventStream.name, OURS, least=20),
        Goal("Channels / this server", "cpu_us", Channels.name, OURS, least=20),
    )


def _bursts(tables: Tables) -> Figure:
    return tables.of(
        [
            Column("burst_rate", "deliveries/s", 0),
            Column("burst_cpu_us", "µs of server CPU a delivery", 2),
        ],
        "bursts",
        f"Bursts: {BURST} events at once",
        f"{tables.crowd}; from before they are sent until all have all of them. This server is"
        " sent them by one request; the others get one request for each.",
        Goal("this server / plain C", "burst_rate", OURS, Plain.name, least=3),
    )


def _memory(tables: Tables) -> Figure:
    return tables.of(
        [Column("kilobytes", "KB a stream", 2)],
        "memory",
        "Memory of an idle stream",
        f"{tables.crowd}: what its processes have more (PSS) than with one stream. What the kernel"
        " holds for sockets is not in it, and the same for all.",
        Goal("this server, KB", "kilobytes", OURS, most=8),
        Goal("this server / nchan", "kilobytes", OURS, Nchan.name, most=1),
    )


def _openings(tables: Tables) -> Figure:
    new, back = "this server / django-eventstream", "this server / new ones at django-eventstream"
    theirs = EventStream.name
    return tables.of(
        [
            Column("opened", "opened/s", 0),
            Column("open_p50_ms", "p50, ms", 0),
            Column("open_p99_ms", "p99, ms", 0),
            Column("resumed", "back/s", 0),
            Column("back", "% back within a minute", 0),
        ],
        "openings",
        "Opening streams",
        f"{tables.streams:,} new streams, 64 at a time, from connecting to the first event; then"
        f" all connections break, {MISSED} events are sent where they can be made up for, and all"
        " streams come back at the same moment, until each has everything.",
        Goal(f"new: {new}", "opened", OURS, theirs, least=2),
        Goal(f"back: {back}", "resumed", OURS, theirs, other_column="opened", least=10),
    )
