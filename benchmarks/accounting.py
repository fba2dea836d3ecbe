"""What processes have cost, by the operating system's accounting."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes so far, children not included."""
    total = 0
    for pid in pids:
        # After the name, which may have spaces in it: field 14 and 15 of proc(5).
        if text := _of(pid, "stat"):
            fields = text.rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / _TICKS


class CpuClock:
    """The CPU time of processes from now on."""

    def __init__(self, pids: Callable[[], Iterable[int]]) -> None:
        """`pids` answers which they are."""
        self._pids = pids
        self._begin = cpu_seconds(pids())

    def seconds(self) -> float:
        """User and system time since."""
        return cpu_seconds(self._pids()) - self._begin


def memory_bytes(pids: Iterable[int]) -> int:
    """Their memory, what they share counted in part (PSS), and what the kernel holds for sockets
    not at all."""
    total = 0
    for pid in pids:
        if text := _of(pid, "smaps_rollup"):
            line = next(line for line in text.splitlines() if line.startswith("Pss:"))
            total += int(line.split()[1]) * 1024
    return total


def _of(pid: int, name: str) -> str:
    """Nothing of a process that has ended, as those of PostgreSQL do."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    found = [pid]
    for one in found:
        for path in Path(f"/proc/{one}/task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found
