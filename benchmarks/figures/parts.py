"""What a delivery costs in this server's own code: no sockets."""

import subprocess
import sys

from benchmarks.data import Column, Figure, Goal, Row
from benchmarks.figures import Scale

AT_ONCE, IN_TWO = "straight to the connections", "into all buffers, then out of them"
CROWDED = [f"{way}, beside a thread that computes" for way in (AT_ONCE, IN_TWO)]


def measure(scale: Scale) -> list[Figure]:
    """All ways in turn."""
    rows = [Row(AT_ONCE), Row(IN_TWO), *map(Row, CROWDED)]
    ways = [["straight"], ["buffered"], ["straight", "crowded"], ["buffered", "crowded"]]
    for _ in range(2 * scale.rounds):
        for row, way in zip(rows, ways, strict=True):
            row.add({"microseconds": _inside(scale.streams, way)})
    return [
        Figure(
            "parts",
            "A delivery without the system",
            f"{scale.streams:,} streams of one channel in one process, on transports and a"
            " descriptor (/dev/null) that take everything; 200 events of 150 bytes, one at a time;"
            " 20 beside a thread that computes without end, and so takes part of the time.",
            "python -m benchmarks parts",
            [Column("microseconds", "µs a delivery", 2)],
            rows,
            [Goal("straight / by the buffers", "microseconds", AT_ONCE, IN_TWO, most=1)],
        )
    ]


def _inside(streams: int, way: list[str]) -> float:
    command = [sys.executable, "-m", "benchmarks.inside", str(streams), *way]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
