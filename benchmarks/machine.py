"""The machine that is measured on."""

import os
import platform
import time
from datetime import UTC, datetime

QUIET = 1.5
"""The load average of a minute above which figures count as disturbed."""
PATIENCE = 180
"""Seconds to wait for the machine to become quiet."""


def wait_until_quiet(patience: float = PATIENCE) -> None:
    """Gives other work of the machine time to end; goes on in any case."""
    end = time.monotonic() + patience
    while os.getloadavg()[0] > QUIET and time.monotonic() < end:
        time.sleep(5)


def circumstances() -> str:
    """Date, cores, kernel, Python, and whether others were busy, in one line."""
    load = os.getloadavg()[0]
    disturbed = f"; disturbed: load average {load:.1f} before it began" if load > QUIET else ""
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, Linux {platform.release()},"
        f" Python {platform.python_version()}{disturbed}"
    )
