"""Free ports, and waiting for what will be."""

import os
import random
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

DEADLINE = 45.0
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
    """A port of this machine that nobody listens on now, and that the kernel gives to nobody: one
    of those that connections are made from would be taken by the time a server is started again."""
    for port in _PORTS:
        with suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("No port is left")


def _ports() -> list[int]:
    # Whoever stops for a while may have its port back: nobody else is given it meanwhile, neither
    # here nor by another of the processes that tests are spread over.
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = range(10_000, _first_ephemeral())[number::count]
    return random.SystemRandom().sample(ports, len(ports))


def _first_ephemeral() -> int:
    with suppress(OSError):
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    return 32_768


_PORTS = iter(_ports())
