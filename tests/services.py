"""Real Redis and PostgreSQL servers of the tests' own, on free ports, and a TCP proxy before them.

They may be stopped, killed, frozen and started again at the same address, with their data.
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

import psycopg
import pytest
import redis

from tests.ports import DEADLINE, free_port, wait_until

POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))


class Service:
    """A process at a fixed port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What starts it."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it is ready."""
        raise NotImplementedError

    def start(self) -> Self:
        """Starts it, and returns when it answers."""
        with (self.folder / "service.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, cwd=self.folder, **self.options()
            )
        wait_until(self.answers, f"{type(self).__name__} to answer")
        return self

    def options(self) -> dict[str, Any]:
        """What else `subprocess.Popen` is told."""
        return {"start_new_session": True}

    @property
    def pid(self) -> int:
        """Of its main process."""
        assert self.process is not None
        return self.process.pid

    def end(self, number: int) -> None:
        """Ends it by a signal, and waits until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.thaw()
            self.process.send_signal(number)
            self.process.wait(DEADLINE)

    def stop(self) -> None:
        """Ends it in good order."""
        self.end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once, as a crash does."""
        self.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stops it without ending it: connections stay open, and nobody answers."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it go on after `freeze`."""
        for pid in self.pids():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def pids(self) -> list[int]:
        """Its main process, and the children of that."""
        return [self.pid, *children(self.pid)]


class Redis(Service):
    """A Redis that keeps nothing on disk."""

    @property
    def url(self) -> str:
        """For ``REDIS_URL``."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        return [
            "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
            "--appendonly", "no",
        ]  # fmt: skip

    def connect(self) -> redis.Redis:
        """A client."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def answers(self) -> bool:
        with closing(self.connect()) as client, suppress(redis.RedisError):
            return bool(client.ping())
        return False


class Postgres(Service):
    """A PostgreSQL cluster, as the user that Debian's package has made if the tests run as root."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder)
        self._settings = settings
        self.data = folder / "data"
        self.has_template = False
        """Whether somebody has made the database that others are copied from."""
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(folder, account.pw_uid, account.pw_gid)
        subprocess.run(
            [
                str(POSTGRESQL[-1].with_name("initdb")), "--pgdata", str(self.data), "--no-sync",
                "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C",
            ],
            check=True, capture_output=True, cwd=folder, **self.options(),
        )  # fmt: skip

    def options(self) -> dict[str, Any]:
        return super().options() | ({"user": "postgres"} if os.getuid() == 0 else {})

    def command(self) -> list[str]:
        # A crash of PostgreSQL is tested, not one of the machine: no need to wait for the disk.
        settings = {"fsync": "off", "max_connections": "200", "max_prepared_transactions": "10"}
        options = (f"--{name}={value}" for name, value in (settings | self._settings).items())
        return [
            str(POSTGRESQL[-1]), "-D", str(self.data), "-p", str(self.port), "-h", "127.0.0.1",
            "-k", "", *options,
        ]  # fmt: skip

    def url(self, database: str = "postgres", port: int | None = None) -> str:
        """For ``DATABASE_URL``."""
        return f"postgres://postgres@127.0.0.1:{port or self.port}/{database}"

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        """A connection in autocommit mode."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError), closing(self.connect()) as connection:
            return connection.execute("SELECT 1").fetchone() == (1,)
        return False

    def create(self, name: str, template: str = "template1") -> str:
        """Makes a database; its URL."""
        with closing(self.connect()) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            # A sequence notes 32 numbers ahead in the journal, and in a copy believes that it has:
            # were the server to crash before the next checkpoint, it would give them once more.
            connection.execute("CHECKPOINT")
        return self.url(name)

    def stop(self) -> None:
        """Ends it in good order, without waiting for its clients to leave."""
        self.end(signal.SIGINT)

    def crash(self) -> None:
        """Ends it without writing anything: it recovers from its journal when it is started."""
        self.end(signal.SIGQUIT)

    def kill(self) -> None:
        """As `crash`: a killed main process would leave its children behind for a while."""
        self.crash()


class TcpProxy:
    """Forwards a port to another one; what passes can be held back, and connections cut."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.accepted = 0
        """How many connections have been made."""
        self._flows = threading.Event()
        self._flows.set()
        self._open = True
        self._sockets: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Holds back everything from now on, as a network does that swallows packets."""
        self._flows.clear()

    def release(self) -> None:
        """Lets everything pass again, also what was held back."""
        self._flows.set()

    def refuse(self) -> None:
        """Cuts all connections, and every new one at once."""
        self._open = False
        self.cut()

    def accept(self) -> None:
        """Takes connections again after `refuse`."""
        self._open = True

    def cut(self) -> None:
        """Ends all connections."""
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the proxy."""
        self.refuse()
        self._flows.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                if not self._open:
                    client.close()
                    continue
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        pair = {client, server}
        self._sockets |= pair
        back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
        back.start()
        self._pass(client, server)
        back.join()
        self._sockets -= pair
        for one in pair:
            one.close()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                target.sendall(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def children(pid: int) -> list[int]:
    """The processes that a process has started and that still run."""
    return [
        int(child)
        for path in Path(f"/proc/{pid}/task").glob("*/children")
        for child in path.read_text().split()
    ]


def service_folder() -> Path:
    # Not below pytest's own folder, into which only the user of the tests may look.
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def make_redis() -> Iterator[Callable[[], Redis]]:
    """Starts Redis servers; all are ended with the tests."""
    if not shutil.which("redis-server"):
        pytest.skip("redis-server is not installed")
    yield from _maker(Redis)


@pytest.fixture(scope="session")
def make_postgres() -> Iterator[Callable[..., Postgres]]:
    """Starts PostgreSQL servers; all end with the tests. Takes settings of its configuration."""
    if not POSTGRESQL:
        pytest.skip("postgresql is not installed")
    yield from _maker(Postgres)


def _maker(kind: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    services: list[Service] = []

    def make(**settings: str) -> Service:
        services.append(kind(service_folder(), **settings))
        return services[-1].start()

    yield make
    for service in services:
        service.kill()
        shutil.rmtree(service.folder)


@pytest.fixture(scope="session")
def redis_server(make_redis: Callable[[], Redis]) -> Redis:
    """A Redis that many tests share: none may stop it."""
    return make_redis()


@pytest.fixture
def fresh_redis(make_redis: Callable[[], Redis]) -> Iterator[Redis]:
    """A Redis of one test's own, to be killed and frozen."""
    service = make_redis()
    yield service
    service.kill()


@pytest.fixture(scope="session")
def postgres(make_postgres: Callable[..., Postgres]) -> Postgres:
    """A PostgreSQL that many tests share: none may stop it."""
    return make_postgres()


@pytest.fixture
def fresh_postgres(make_postgres: Callable[..., Postgres]) -> Iterator[Postgres]:
    """A PostgreSQL of one test's own, to be killed and restarted."""
    service = make_postgres()
    yield service
    service.kill()
