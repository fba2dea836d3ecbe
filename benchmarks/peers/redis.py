"""A Redis of a server's own."""

import subprocess
from typing import Self

from benchmarks.peers.base import Peer
from tests.ports import free_port


class Redis:
    """A process without persistence; `with` ends it."""

    def __init__(self) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        command = ["redis-server", "--port", str(port), "--save", "", "--daemonize", "no"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.pid = self._process.pid

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


class BesideRedis(Peer):
    """A server that may have one, which counts as part of it and ends with it."""

    _redis: Redis | None = None

    def pids(self) -> list[int]:
        return [*super().pids(), *([self._redis.pid] if self._redis else [])]

    def stop(self) -> None:
        super().stop()
        if self._redis is not None:
            self._redis.stop()
