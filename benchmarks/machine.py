"""The machine that is measured on, and what else it had to do."""

import os
import platform
import resource
import time
from datetime import UTC, datetime
from pathlib import Path

QUIET = 0.2
"""Cores that others may use before figures count as disturbed."""
PATIENCE = 180
"""Seconds to wait for the machine to become quiet."""
_GLANCE = 2.0


class Watch:
    """Tells what others use of the machine, from when it is made: everything that the kernel
    accounts, less what this process and those that it has started and ended have used."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def others(self) -> float:
        """Cores that others have used, on average."""
        busy, own = _busy_seconds() - self._busy, _own_seconds() - self._own
        return max(0.0, busy - own) / (time.monotonic() - self._begin)

    def circumstances(self) -> str:
        """Date, cores, kernel, Python, and whether others were busy, in one line."""
        others = self.others()
        disturbed = f"; disturbed: others used {others:.1f} cores meanwhile"
        return (
            f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Linux {platform.release()},"
            f" Python {platform.python_version()}{disturbed if others > QUIET else ''}"
        )


def wait_until_quiet(patience: float = PATIENCE) -> None:
    """Gives other work of the machine time to end; goes on in any case."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        watch = Watch()
        time.sleep(_GLANCE)
        if watch.others() < QUIET:
            return


def _busy_seconds() -> float:
    # Of proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
    ticks = [int(text) for text in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
