"""The load client: compiles the C programs of ``native/``, and talks to ``load.c``."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

NATIVE = Path(__file__).resolve().parent / "native"
PROGRAMS = {
    "load": ("load.c", "streams.c", "websocket.c", "figures.c", "input.c"),
    "plain": ("plain.c",),
}
TOGETHER = 64
"""Streams that are being opened at the same time, unless said otherwise."""


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-")


@cache
def compiled(name: str) -> str:
    """The path of one of the `PROGRAMS`, compiled anew in each run."""
    program = Path(_folder().name) / name
    sources = [str(NATIVE / source) for source in PROGRAMS[name]]
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-o", str(program), *sources], check=True)
    return str(program)


@dataclass(frozen=True, slots=True)
class Report:
    """What the load client has seen since it last began to count.

    Of a command that opens streams, the delays are from connecting to being open; else from an
    event's making to its coming. Its own CPU seconds are those since it was started; `last` is the
    moment of the last event, in seconds of the monotonic clock.
    """

    open: int
    failed: int
    events: int
    bytes: int
    seconds: float
    cpu: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    last: float


class Load:
    """Streams that do nothing but count events and note when they came.

    `answer` says what a WebSocket replies to the messages that come before it is open; without it,
    streams are those of Server-Sent Events.
    """

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        ready: str,
        answer: Callable[[str], str] | None = None,
        source: str = "127.0.0.1",
    ) -> None:
        self._answer = answer
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        heads = Path(self._folder.name) / "requests"
        heads.write_bytes(b"---\n".join(requests))
        command = [compiled("load"), str(port), source, str(heads), ready]
        if answer is not None:
            command.append("websocket")
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def open(self, count: int, together: int = TOGETHER, seconds: float = 300) -> Report:
        """Opens more streams, at most `together` at the same time."""
        return self._ask(f"open {count} {together} {seconds}")

    def reopen(self, together: int, seconds: float = 300) -> Report:
        """Has all that were dropped come back, each from the last id that it has read."""
        return self._ask(f"reopen {together} {seconds}")

    def count(self) -> Report:
        """Begins to count anew."""
        return self._ask("count")

    def wait(self, events: int, seconds: float = 120) -> Report:
        """Waits for so many events since it began to count."""
        return self._ask(f"wait {events} {seconds}")

    def drop(self) -> Report:
        """Breaks all connections at once."""
        return self._ask("drop")

    def close(self) -> None:
        """Ends."""
        self._process.communicate("quit\n")
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _ask(self, command: str) -> Report:
        assert self._process.stdout is not None
        self._tell(command)
        while not (line := self._process.stdout.readline()).startswith("{"):
            if not line:
                raise RuntimeError(f"The load client has ended by itself at {command!r}")
            self._reply(line)
        return Report(**json.loads(line))

    def _reply(self, line: str) -> None:
        _, stream, message = line.rstrip("\n").split(" ", 2)
        if self._answer is not None and (reply := self._answer(message)):
            self._tell(f"say {stream} {reply}")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
