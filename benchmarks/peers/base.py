"""What is asked of each server that is compared."""

import http.client
import json
import os
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Self

from benchmarks.accounting import family
from benchmarks.load import Load
from tests.ports import free_port, wait_until

CHANNEL = "private-todo-list.1"
LENGTH = 64
"""Characters of an event's data: with what surrounds it, a frame of SSE is then of 150 bytes."""

KEPT = 2.0
"""Seconds for which a connection that events are posted by is kept without use."""


def stamp() -> str:
    """An event's data, which says when it was made, as the load client reads it."""
    return f"@@{time.monotonic_ns():019d}".ljust(LENGTH, ".")


class Peer(ABC):
    """One server with one channel. `with` starts and stops it."""

    name: str
    note: str = ""
    """What to know of it, beside its figures."""
    ready: str = "stream-open"
    """What an open stream's first bytes have in them."""
    answer: Callable[[str], str] | None = None
    """For WebSockets: what a client replies to the messages that come before it is open."""
    together: int = 64
    """Streams that it is asked to open at the same time."""
    comes_back: bool = True
    """Whether its streams can be dropped, and opened anew as they were opened first."""
    replays: bool = False
    """Whether a stream that comes back is sent what it has missed."""
    slow: bool = False
    """Whether it takes so long that it is measured less often."""

    def __init__(self) -> None:
        self.port = free_port()
        self._scratch = tempfile.TemporaryDirectory(prefix="bench-")
        self.folder = Path(self._scratch.name)
        """For its files, while it runs."""
        self._connection: http.client.HTTPConnection | None = None
        self._used = 0.0

    @classmethod
    def missing(cls) -> str:
        """What it needs that is not there; empty if it can be measured."""
        return ""

    @abstractmethod
    def start(self) -> None:
        """Starts it, and returns when it answers."""

    @abstractmethod
    def requests(self) -> list[bytes]:
        """Heads of requests that open streams, one for each user, where there are users."""

    @abstractmethod
    def publish(self) -> None:
        """Sends one event to all."""

    def publish_many(self, count: int) -> None:
        """Sends events as quickly as its interface allows."""
        for _ in range(count):
            self.publish()

    @abstractmethod
    def pids(self) -> list[int]:
        """Its processes, and those of what it needs to run."""

    @abstractmethod
    def stop(self) -> None:
        """Ends it."""

    def load(self, source: str = "127.0.0.1") -> Load:
        """A client of it, without streams yet."""
        return Load(self.port, self.requests(), self.ready, self.answer, source)

    def post(self, path: str, body: bytes, **headers: str) -> bytes:
        """Posts by a connection that is kept; fails on any answer but a good one."""
        connection = self._connected()
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{self.name}: {answer.status} {text[:200]!r}")
        return text

    def _connected(self) -> http.client.HTTPConnection:
        # One that was idle for long the server may be about to close.
        if self._connection is None or time.monotonic() > self._used + KEPT:
            self._disconnect()
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        self._used = time.monotonic()
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def answers(self) -> bool:
        """Whether somebody listens."""
        try:
            probe = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            probe.connect()
        except OSError:
            return False
        probe.close()
        return True

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._disconnect()
        self.stop()
        self._scratch.cleanup()


class Process(Peer):
    """A peer that is one command."""

    def __init__(self) -> None:
        super().__init__()
        self.process: subprocess.Popen[bytes] | None = None
        self.environ: dict[str, str] = {}

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    def start(self) -> None:
        environ = {name: value for name, value in os.environ.items() if "DJANGO" not in name}
        with open(os.devnull, "wb") as nowhere:
            self.process = subprocess.Popen(
                self.command(), env=environ | self.environ, stdout=nowhere, stderr=nowhere
            )
        wait_until(self.answers, f"{self.name} to answer")

    def pids(self) -> list[int]:
        return family(self.process.pid) if self.process else []

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    def message(self) -> str:
        """The data of an event, with its channel, as ours have it."""
        return json.dumps({"channel": CHANNEL, "data": stamp()}, separators=(",", ":"))
