"""How writers, each a process, tell what they have done, and are told to end."""

import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from tests.ports import DEADLINE
from tests.servers import ROOT


def until_told(advance: Callable[[], int]) -> None:
    """Calls `advance` until the input ends; prints how many mutations each call has made, and
    when it had."""
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    while not ended.is_set():
        if made := advance():
            sys.stdout.write(f"{made} {time.time()}\n")
            sys.stdout.flush()


class WriterProcess:
    """A writer, run again whenever it dies; its moments are those of the clock on the wall."""

    def __init__(self, module: str, *arguments: str, environ: dict[str, str]) -> None:
        self.count = 0
        self.moments: list[float] = []
        """When it had done something."""
        self.deaths = 0
        self.failure = ""
        """Its last words, if it has given up."""
        self._words: deque[str] = deque(maxlen=60)
        self._command = [sys.executable, "-m", f"tests.oracle.{module}"]
        self._arguments = arguments
        self._environ = environ
        self._stopping = False
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends it after what it is doing."""
        self._stopping = True
        self._end_input()
        self._thread.join(2 * DEADLINE)
        assert not self._thread.is_alive(), "A writer does not end"

    def kill(self) -> None:
        """Has it die and begin anew."""
        if self._process is not None:
            self._process.kill()

    def _run(self) -> None:
        seed = int(self._arguments[0])
        while not self._stopping:
            # Who has died goes on with other random numbers.
            arguments = [str(seed + 1000 * self.deaths), *self._arguments[1:]]
            with subprocess.Popen(
                [*self._command, *arguments], env=self._environ, cwd=ROOT, text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            ) as self._process:  # fmt: skip
                if self._stopping:
                    self._end_input()
                assert self._process.stdout is not None
                for line in self._process.stdout:
                    self._hear(line)
            if self._process.returncode < 0:
                self.deaths += 1
            elif self._process.returncode:
                self.failure = "".join(self._words)
                return

    def _end_input(self) -> None:
        with suppress(OSError):
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()

    def _hear(self, line: str) -> None:
        words = line.split()
        if len(words) == 2 and words[0].isdigit():
            self.count += int(words[0])
            self.moments.append(float(words[1]))
        else:
            self._words.append(line)
