"""Free ports, and waiting for what will be."""

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

DEADLINE = 20.0
"""Seconds after which a condition that was waited for counts as broken."""


def wait_until(condition: Callable[[], Any], what: str, timeout: float = DEADLINE) -> Any:
    """The condition's first true answer; fails, naming `what`, if there is none in time."""
    pause = threading.Event()
    end = time.monotonic() + timeout
    while not (answer := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"Waited {timeout:g} s in vain for {what}")
        pause.wait(0.02)
    return answer


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
