"""Servers to break, and what breaks them at chosen points of their code."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.servers import Server, wait_until
from tests.services import Redis

BACKENDS = {
    "sqlite": "SQLite, no broker",
    "postgres": "PostgreSQL, NOTIFY",
    "redis": "PostgreSQL, Redis",
}


def environ_of(backend: str, request: pytest.FixtureRequest) -> tuple[Any, dict[str, str]]:
    """The PostgreSQL of a backend, if it has one, and the variables that a server on it takes."""
    postgres = None if backend == "sqlite" else request.getfixturevalue("postgres")
    environ = {"REALTIME_KEEP_ALIVE": "1", "REALTIME_MAX_STREAMS_PER_USER": "1000"}
    if backend == "redis":
        environ["REDIS_URL"] = request.getfixturevalue("redis_server").url
    return postgres, environ


def pair(
    make_server: Callable[..., Server], postgres: Any, environ: dict[str, str], points: Path
) -> tuple[Server, Server]:
    """Two servers on one database: a victim that falls at points, and a witness that does not."""
    trap = {"DJANGO_SETTINGS_MODULE": "tests.torture.settings", "REALTIME_FAILPOINTS": str(points)}
    victim = make_server(postgres, WEB_CONCURRENCY="2", **environ, **trap)
    environ = environ | {"DATABASE_URL": victim.environ["DATABASE_URL"]}
    return victim, make_server(WEB_CONCURRENCY="2", **environ)


class Points:
    """The failpoints of a victim."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._count = 0

    def arm(self, point: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Has the first process that reaches a point send itself a signal."""
        self._count = len(self._notes())
        (self._folder / f"{point}.{number.name}").touch()

    def disarm(self, point: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Spares the processes after all; False if one has reached the point by now."""
        try:
            (self._folder / f"{point}.{number.name}").unlink()
        except FileNotFoundError:
            return False
        return True

    def fallen(self) -> tuple[int, float] | None:
        """Which process has, and when, if any has since."""
        notes = self._notes()[self._count :]
        return (int(notes[0][0]), float(notes[0][1])) if notes else None

    def fall(self, point: str, number: signal.Signals = signal.SIGKILL) -> tuple[int, float]:
        """Arms a point, and waits until a process has reached it; which one, and when."""
        self.arm(point, number)
        pid, moment = wait_until(self.fallen, f"a process to reach {point}")
        return pid, moment

    def _notes(self) -> list[list[str]]:
        notes = self._folder / "fallen"
        lines = notes.read_text().splitlines(keepends=True) if notes.exists() else []
        return [line.split() for line in lines if line.endswith("\n")]


def thaw(pid: int) -> None:
    """Lets a frozen process go on."""
    os.kill(pid, signal.SIGCONT)


def booted(server: Server) -> int:
    """How many workers of a server have ever begun to deliver."""
    return sum("Broker: " in line for line in server.log.splitlines())


def listeners(redis: Redis) -> int:
    """How many workers hear what is published by Redis."""
    with closing(redis.connect()) as client:
        topics = client.pubsub_channels()
        return sum(count for _, count in client.pubsub_numsub(*topics)) if topics else 0


def garbage(channel: str) -> list[bytes]:
    """Messages that are none of ours, from outright garbage to what only looks like one."""
    name = json.dumps(channel).encode()
    return [
        b"",
        b"\xff\xfe\x00",
        b"x",
        b"x {}",
        b"x null",
        b"x [null, [[]]]",
        b"x [null, [[1, 2, 3, 4, 5, 6, 7]]]",
        b"x " + b"[" * 100_000,
        b'x ["1-00000000", [[%s, "x.made", "1", null, null, null, ""]]]' % name,
        b'x ["1-00000000", [[%s, "x.made", "1", null, null, "2-00000000", ""]]]' % name,
        b'x [null, [[%s, "x.made", "1", null, null, "999-00000000", ""]]]' % name,
        b'x ["1-00000000", [[%s, "x.made", "1", null, null, "999999999-00000000", ""]]]' % name,
        b'x ["99999-00000000", [[%s, "x.made", "1", null, null, "100000-00000000", ""]]]' % name,
        b'x [null, [[%s, "x.made", "\\ud800", null, null, null, ""]]]' % name,
        b'x [null, [[%s, "x.made", "no JSON", null, null, null, ""]]]' % name,
        b'x [null, [[%s, "x.made", "1\\n\\nevent: forged", null, null, null, ""]]]' % name,
    ]
