"""Faults at random moments: processes are killed, frozen and restarted, services go and return."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from typing import Self

import psycopg
import redis

from tests.oracle.telling import WriterProcess
from tests.servers import START, Server, wait_until
from tests.services import Postgres, Redis
from tests.torture.faults import Points, booted, thaw

POINTS = (
    "log.appended",
    "log.committed",
    "log.numbering",
    "log.numbered",
    "stream.sending",
)
TERMINATE = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
FALL = 3.0
"""Seconds in which some process should reach a point; else it is spared."""

Fault = Callable[[], None]


class Lane:
    """Faults of one sort, one after another at random moments, on a thread."""

    def __init__(self, faults: dict[str, Fault], seed: int, *, pause: float) -> None:
        self.counts: Counter[str] = Counter()
        self.failure: BaseException | None = None
        self._faults = faults
        self._random = random.Random(seed)
        self._pause = pause
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Returns when the last fault is over."""
        self._stopping.set()
        self._thread.join(120)
        if self.failure:
            raise self.failure

    def once_each(self) -> None:
        """Each fault, in random order, here and now."""
        for name in self._random.sample(list(self._faults), len(self._faults)):
            self._do(name)

    def _run(self) -> None:
        try:
            while not self._stopping.wait(self._random.uniform(0, 2 * self._pause)):
                self._do(self._random.choice(list(self._faults)))
        except BaseException as failure:
            self.failure = failure

    def _do(self, name: str) -> None:
        self._faults[name]()
        self.counts[name] += 1


class Processes:
    """Faults of workers, whole servers and writers."""

    def __init__(
        self,
        servers: Sequence[Server],
        writers: Sequence[WriterProcess],
        points: Points,
        seed: int,
        *,
        longest: float = 2.0,
    ) -> None:
        self._longest = longest
        """Seconds for which one may be frozen."""
        self._servers = servers
        self._writers = writers
        self._points = points
        self._random = random.Random(seed)

    def faults(self) -> dict[str, Fault]:
        """By what is said of them in a table."""
        return {
            "workers killed": self.kill_worker,
            "processes killed at a point": lambda: self.fall(signal.SIGKILL),
            "processes frozen at a point": lambda: self.fall(signal.SIGSTOP),
            "workers frozen": self.freeze_worker,
            "writers killed": self.kill_writer,
            "servers restarted": self.restart,
            "servers reloaded (SIGHUP)": self.reload,
            "servers killed": self.kill_server,
        }

    def kill_worker(self) -> None:
        self._signal_worker(signal.SIGKILL)

    def freeze_worker(self) -> None:
        pid = self._signal_worker(signal.SIGSTOP)
        _wait(self._random.uniform(0, self._longest))
        _thaw(pid)

    def fall(self, number: signal.Signals) -> None:
        """Has whoever reaches a point first die, or stand still for a while."""
        point = self._random.choice(POINTS)
        self._points.arm(point, number)
        end = time.monotonic() + FALL
        while not self._points.fallen() and time.monotonic() < end:
            _wait(0.05)
        if self._points.disarm(point, number):
            return
        pid, _ = wait_until(self._points.fallen, f"a process to say that it has reached {point}")
        if number == signal.SIGSTOP:
            _wait(self._random.uniform(0, self._longest))
            _thaw(pid)

    def kill_writer(self) -> None:
        self._random.choice(self._writers).kill()

    def restart(self) -> None:
        server = self._random.choice(self._servers)
        server.stop()
        server.start()

    def reload(self) -> None:
        server = self._random.choice(self._servers)
        before = booted(server)
        server.signal(signal.SIGHUP)
        wait_until(lambda: booted(server) > before, "new workers", timeout=START)

    def kill_server(self) -> None:
        server = self._random.choice(self._servers)
        server.kill()
        server.start()

    def _signal_worker(self, number: int) -> int:
        workers = [pid for server in self._servers for pid in server.workers]
        if not workers:
            return 0
        pid = self._random.choice(workers)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid


class Services:
    """Faults of Redis and PostgreSQL."""

    def __init__(
        self, redis_server: Redis, postgres: Postgres, seed: int, *, longest: float = 2.0
    ) -> None:
        self._longest = longest
        """Seconds for which one may be away."""
        self._redis = redis_server
        self._postgres = postgres
        self._random = random.Random(seed)

    def faults(self) -> dict[str, Fault]:
        """By what is said of them in a table."""
        return {
            "Redis killed": self.kill_redis,
            "Redis frozen": self.freeze_redis,
            "Redis flushed": self.flush_redis,
            "Redis' clients cut": self.cut_redis,
            "PostgreSQL's connections terminated": self.terminate,
            "PostgreSQL stopped": self.stop_postgres,
            "PostgreSQL crashed": self.crash_postgres,
        }

    def kill_redis(self) -> None:
        self._redis.kill()
        self._a_while()
        self._redis.start()

    def freeze_redis(self) -> None:
        self._redis.freeze()
        self._a_while()
        self._redis.thaw()

    def flush_redis(self) -> None:
        with closing(self._redis.connect()) as client:
            client.flushall()

    def cut_redis(self) -> None:
        with closing(self._redis.connect()) as client, suppress(redis.RedisError):
            for kind in ("normal", "pubsub"):
                client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    def terminate(self) -> None:
        with suppress(psycopg.OperationalError), closing(self._postgres.connect()) as connection:
            connection.execute(TERMINATE)

    def stop_postgres(self) -> None:
        self._postgres.stop()
        self._a_while()
        self._postgres.start()

    def crash_postgres(self) -> None:
        self._postgres.crash()
        self._a_while()
        self._postgres.start()

    def _a_while(self) -> None:
        _wait(self._random.uniform(0, self._longest))


def _thaw(pid: int) -> None:
    # Whoever was frozen for too long may have been ended meanwhile.
    if pid:
        with suppress(ProcessLookupError):
            thaw(pid)


def _wait(seconds: float) -> None:
    threading.Event().wait(seconds)
