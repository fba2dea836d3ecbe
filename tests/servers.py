"""Real servers for tests from outside: gunicorn by the Procfile's line, on a free port."""

import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.ports import DEADLINE as DEADLINE
from tests.ports import free_port as free_port
from tests.ports import wait_until as wait_until
from tests.services import Postgres, children

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = "demo"
START = 60.0
"""Seconds that a server may take to start, on a machine that has other things to do."""
_FILL = """
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("demo")
for name in ("alice", "bob"):
    call_command("drf_create_token", name)
"""


def web_command() -> list[str]:
    """The Procfile's line for the web process, run by this Python's own gunicorn."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    line = next(line.partition(":")[2] for line in lines if line.startswith("web:"))
    program, *arguments = shlex.split(line)
    return [str(Path(sys.executable).with_name(program)), *arguments]


class Server:
    """One gunicorn with a database of its own. It may be killed and started again."""

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = folder / "db.sqlite3"
        self.environ = {
            **{name: value for name, value in os.environ.items() if "DJANGO" not in name},
            "PORT": str(self.port),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "SECRET_KEY": "of-these-tests-" * 4,
            "DEBUG": "0",
            "ALLOWED_HOSTS": "127.0.0.1,localhost",
            "SECURE_SSL_REDIRECT": "0",
            "THROTTLE_USER": "100000/s",
            "THROTTLE_ANON": "100000/s",
            # What a right's end has missed would be made up for by this, sooner or later.
            "REALTIME_RECHECK_INTERVAL": "3600",
            **environ,
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the server has printed."""
        return (self.folder / "server.log").read_text()

    @property
    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers."""
        return children(self.process.pid) if self.process is not None else []

    def replaces(self, worker: int) -> None:
        """Waits until one that was told to end, or killed, is gone and another is in its place."""
        count = int(self.environ["WEB_CONCURRENCY"])
        wait_until(
            lambda: worker not in self.workers and len(self.workers) == count,
            "the worker to be replaced",
        )

    def holders(self, ports: Iterable[int]) -> list[int]:
        """The workers that have the other ends of connections from these ports of this machine."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        inodes = {row[2]: row[9] for row in rows if row[1] == _address(self.port)}
        owners = {inode: pid for pid in self.workers for inode in _sockets(pid)}
        return [owners[inodes[_address(port)]] for port in ports]

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that an SQL statement answers, read by a connection of its own."""
        url = self.environ["DATABASE_URL"]
        connect = sqlite3.connect if url.startswith("sqlite") else psycopg.connect
        target = url.removeprefix("sqlite:///")
        with closing(connect(target)) as connection:
            return list(connection.execute(statement).fetchall())

    def manage(self, *arguments: str, **options: Any) -> str:
        """Runs a management command on the server's database."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        answer = subprocess.run(
            command, env=self.environ, cwd=ROOT, check=False, capture_output=True, **options
        )
        assert answer.returncode == 0, answer.stdout.decode() + answer.stderr.decode()
        return answer.stdout.decode()

    def shell(self, code: str) -> str:
        """Runs Python with Django, in a process of its own, on the server's database."""
        return self.manage("shell", "-v0", "-c", code)

    def command(self) -> list[str]:
        """What starts it."""
        return web_command()

    def options(self) -> dict[str, Any]:
        """What else `subprocess.Popen` is told."""
        return {}

    def start(self) -> None:
        """Starts gunicorn, and returns when it answers."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environ,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self.options(),
            )
        try:
            wait_until(self.answers, "the server to answer", timeout=START)
        except AssertionError as error:
            raise AssertionError(f"{error}; it printed:\n{self.log}") from None

    def answers(self) -> bool:
        """Whether it takes requests; asked by one that costs it next to nothing."""
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError("The server ended by itself")
        try:
            return httpx.get(f"{self.url}/api/events/", timeout=5).status_code in (400, 301)
        except httpx.TransportError:
            return False

    def signal(self, number: int) -> None:
        """Sends a signal to gunicorn's master."""
        if self.process is not None:
            os.kill(self.process.pid, number)

    def wait(self, timeout: float = DEADLINE) -> int:
        """Waits for the master to end; its exit code."""
        assert self.process is not None
        return self.process.wait(timeout)

    def stop(self) -> None:
        """Ends gunicorn, gently if it lets itself."""
        if self.process is None or self.process.poll() is not None:
            return
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Ends master and workers at once, as a crash does."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def token(self, username: str = "alice") -> str:
        """An API token of one of the demo's users."""
        # Whoever has one need not log in: to hash a password is most of what that takes.
        found = self.query(
            "SELECT key FROM authtoken_token JOIN auth_user ON auth_user.id = user_id"
            f" WHERE username = '{username}'"
        )
        if found:
            return str(found[0][0])
        login = {"username": username, "password": "realtime"}
        answer = httpx.post(f"{self.url}/api/token/", json=login, timeout=DEADLINE)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def client(self, username: str = "alice") -> httpx.Client:
        """A REST client that is logged in by token."""
        headers = {"Authorization": f"Token {self.token(username)}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=DEADLINE)


def _address(port: int) -> str:
    """As /proc/net/tcp writes it."""
    return f"0100007F:{port:04X}"


def _sockets(pid: int) -> Iterator[str]:
    """The inodes of a process's sockets; none if it has just ended."""
    with suppress(FileNotFoundError):
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                kind, _, inode = str(path.readlink()).partition(":")
                if kind == "socket":
                    yield inode.strip("[]")


@pytest.fixture(scope="session")
def database_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database with the demo's users and lists."""
    template = Server(tmp_path_factory.mktemp("template"))
    template.shell(_FILL)
    with sqlite3.connect(template.database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return template.database


@contextmanager
def _maker(template: Path, folders: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def make(postgres: Postgres | None = None, **environ: str) -> Server:
        if postgres is not None:
            environ["DATABASE_URL"] = on_postgres(postgres, folders)
        server = Server(folders.mktemp("server"), **environ)
        if "DATABASE_URL" not in environ:
            shutil.copy(template, server.database)
        servers.append(server)
        server.start()
        return server

    try:
        yield make
    finally:
        stop_all(servers)


def stop_all(servers: Sequence[Server]) -> None:
    """Ends servers, all at once: each takes a second or two."""
    with ThreadPoolExecutor(max(1, len(servers))) as pool:
        list(pool.map(Server.stop, servers))


@pytest.fixture(scope="module")
def make_server(
    database_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """Starts servers with demo data, on SQLite or a database of `postgres`; all are stopped at the
    end of the module, for also an idle one looks at its log. Several may share a database:
    `DATABASE_URL` names it."""
    with _maker(database_template, tmp_path_factory) as make:
        yield make


@pytest.fixture(scope="session")
def make_shared_server(
    database_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Server]]:
    """As `make_server`, for what lasts until the end of all tests."""
    with _maker(database_template, tmp_path_factory) as make:
        yield make


def cluster(
    make_server: Callable[..., Server],
    postgres: Postgres | None = None,
    *,
    servers: int = 2,
    workers: int = 2,
    **environ: str,
) -> list[Server]:
    """Servers that share a database, as machines do; each has several workers."""
    environ |= {"WEB_CONCURRENCY": str(workers)}
    first = make_server(postgres, **environ)
    shared = environ | {"DATABASE_URL": first.environ["DATABASE_URL"]}
    return [first, *(make_server(**shared) for _ in range(servers - 1))]


def on_postgres(postgres: Postgres, folders: pytest.TempPathFactory) -> str:
    """A new database with the demo's users and lists; its URL."""
    if not postgres.has_template:
        url = postgres.create(TEMPLATE)
        Server(folders.mktemp("template"), DATABASE_URL=url).shell(_FILL)
        postgres.has_template = True
    return postgres.create(f"test_{uuid.uuid4().hex}", TEMPLATE)


@pytest.fixture(scope="session")
def server(make_shared_server: Callable[..., Server]) -> Server:
    """A server that many tests share: none may stop it, or count on lists that are not its own."""
    return make_shared_server(REALTIME_KEEP_ALIVE="1", REALTIME_MAX_STREAMS_PER_USER="500")


@pytest.fixture
def fresh_server(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server of one test's own, to be killed, restarted and counted on."""
    server = make_server(REALTIME_KEEP_ALIVE="1")
    yield server
    server.stop()
