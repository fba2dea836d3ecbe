"""The load client: compiles ``load.c`` and talks to it."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

HERE = Path(__file__).resolve().parent


@cache
def compiled(name: str) -> str:
    """The program that a C file of this folder becomes; made anew in each run."""
    program = Path(tempfile.mkdtemp(prefix="bench-")) / name
    command = ["cc", "-O2", "-Wall", "-o", str(program), str(HERE / f"{name}.c")]
    subprocess.run(command, check=True)
    return str(program)


@dataclass(frozen=True, slots=True)
class Report:
    """What the load client has seen. Its own CPU seconds are those since it was started."""

    open: int
    failed: int
    events: int
    bytes: int
    seconds: float
    cpu: float
    p50_ms: float
    p99_ms: float
    max_ms: float


class Load:
    """Streams that do nothing but count events and note when they came."""

    def __init__(self, port: int, requests: list[bytes], ready: str, hello: bytes = b"") -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        heads = Path(self._folder.name) / "requests"
        heads.write_bytes(b"---\n".join(requests))
        command = [compiled("load"), str(port), str(heads), ready]
        if hello:
            (greeting := Path(self._folder.name) / "hello").write_bytes(hello)
            command.append(str(greeting))
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def open(self, count: int, together: int = 64) -> Report:
        """Opens more streams, at most `together` at the same time."""
        return self._ask(f"open {count} {together}")

    def count(self) -> Report:
        """Begins to count anew."""
        return self._ask("count")

    def wait(self, events: int, seconds: float = 60) -> Report:
        """Waits for so many events."""
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
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return Report(**json.loads(self._process.stdout.readline()))
