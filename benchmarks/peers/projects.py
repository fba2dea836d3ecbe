"""The other packages for Django, each in a project of one file, as its own documentation has it."""

from benchmarks.peers.base import Process
from benchmarks.peers.environment import BIN, missing_packages, missing_program
from benchmarks.peers.redis import BesideRedis, Redis
from tests.servers import ROOT


class Project(Process):
    """A project of ``benchmarks.projects`` under daphne."""

    module: str
    slow = True

    @classmethod
    def missing(cls) -> str:
        return missing_packages("daphne")

    def command(self) -> list[str]:
        application = f"benchmarks.projects.{self.module}:application"
        return [str(BIN / "daphne"), "-b", "127.0.0.1", "-p", str(self.port), application]

    def start(self) -> None:
        self.environ |= {"PYTHONPATH": str(ROOT), "BENCH_FOLDER": str(self.folder)}
        super().start()

    def publish(self) -> None:
        self.post("/pub", self.message().encode())


class EventStream(Project):
    """django-eventstream; it keeps no log. `write` writes a row, and publishes after its commit."""

    name = "django-eventstream"
    note = "as its README says, under daphne; no rights, no log"
    module = "eventstream"

    def requests(self) -> list[bytes]:
        return [b"GET /events/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"]

    def write(self) -> None:
        """Writes one row by a request, and has it sent to all."""
        self.post("/write", self.message().encode())


class StoredEventStream(EventStream):
    """django-eventstream with its storage in the database."""

    name = "django-eventstream with storage"
    note = "the same, with its storage in the database (SQLite)"

    def __init__(self) -> None:
        super().__init__()
        self.environ["BENCH_STORAGE"] = "1"


class Channels(BesideRedis, Project):
    """Channels with Redis."""

    name = "Channels with Redis"
    note = "a consumer and a group, as its tutorial has them, under daphne; no rights, no log"
    module = "sockets"
    ready = "101 Switching"
    comes_back = False

    @classmethod
    def missing(cls) -> str:
        return missing_packages("daphne") or missing_program("redis-server")

    def start(self) -> None:
        self._redis = Redis()
        self.environ["REDIS_URL"] = self._redis.url
        super().start()

    def requests(self) -> list[bytes]:
        return [
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ]

    def answer(self, message: str) -> str:
        return ""
