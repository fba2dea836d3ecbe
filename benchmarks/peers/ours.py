"""This project, as its Procfile runs it, with users, rights and log; and the same in other ways."""

import json
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.accounting import family
from benchmarks.peers.base import CHANNEL, Peer, stamp
from benchmarks.peers.environment import BIN, missing_packages, missing_program
from benchmarks.peers.pusher import APP, handshake, signed, socket_id, subscribe
from benchmarks.peers.redis import BesideRedis, Redis
from tests.servers import Server, web_command

USERS = 200
BATCH = 100
"""Events that may be sent by one request: a burst is one of them, by one commit."""

_CROWD = """
from django.contrib.auth.models import User
from rest_framework.authtoken.models import Token
from todos.models import Membership, TodoList
names = [f"user{{n}}" for n in range({count})]
User.objects.bulk_create(User(username=name, password="!") for name in names)
users = list(User.objects.filter(username__in=names))
tokens = [Token(user=user, key=Token.generate_key()) for user in users]
Token.objects.bulk_create(tokens)
todo_list = TodoList.objects.get(pk=1)
Membership.objects.bulk_create(Membership(todo_list=todo_list, user=user) for user in users)
print(*(token.key for token in tokens))
"""


class BenchServer(Server):
    """gunicorn, in production mode, or what else serves the application."""

    def __init__(self, folder: Path, **environ: str) -> None:
        super().__init__(
            folder,
            **{
                "REALTIME_RECHECK_INTERVAL": "60",
                "REALTIME_MAX_TRIGGER_BATCH": str(BATCH),
                "PUSHER_APP_ID": APP.id,
                "PUSHER_KEY": APP.key,
                "PUSHER_SECRET": APP.secret,
                **environ,
            },
        )
        self._command = web_command()

    def command(self) -> list[str]:
        return self._command

    def run_by(self, command: list[str]) -> None:
        """Has it started in another way than the Procfile's."""
        self._command = command

    def crowd(self, count: int) -> list[str]:
        """Adds users who are members of list 1; their tokens."""
        return self.shell(_CROWD.format(count=count)).splitlines()[-1].split()


class Ours(Peer):
    """Server-Sent Events, directly to the transport."""

    name = "this server, SSE"
    note = "200 users with tokens, a private channel, every event in the log (SQLite)"
    channel = CHANNEL
    comes_back = replays = True

    def __init__(self, users: int = USERS, **environ: str) -> None:
        super().__init__()
        self.server = BenchServer(self.folder, **environ)
        self.port = self.server.port
        self._users = users
        self.tokens: list[str] = []

    def start(self) -> None:
        self.server.manage("migrate", "--verbosity", "0")
        self.server.manage("demo")
        self.tokens = self.server.crowd(self._users)
        self.server.start()

    def requests(self) -> list[bytes]:
        return [
            f"GET /api/events/?channel={self.channel} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Accept: text/event-stream\r\nAuthorization: Token {token}\r\n\r\n".encode()
            for token in self.tokens
        ]

    def publish(self) -> None:
        self.trigger(self.channel)

    def publish_many(self, count: int) -> None:
        for start in range(0, count, BATCH):
            self.trigger(*[self.channel] * min(BATCH, count - start))

    def trigger(self, *channels: str) -> None:
        """Sends an event to each of the channels, `BATCH` at most, by one request and commit."""
        events = [
            {"name": "note", "channel": channel, "data": json.dumps(stamp())}
            for channel in channels
        ]
        path, body = signed("batch_events", {"batch": events})
        if len(events) == 1:
            path, body = signed("events", events[0])
        self.post(path, body, **{"Content-Type": "application/json"})

    def write(self) -> None:
        """Writes one row by REST, and has it sent to all."""
        body = json.dumps({"todo_list": 1, "text": stamp()}).encode()
        headers = {"Authorization": f"Token {self.tokens[0]}", "Content-Type": "application/json"}
        self.post("/api/todo-items/", body, **headers)

    def pids(self) -> list[int]:
        return family(self.server.process.pid) if self.server.process else []

    def stop(self) -> None:
        self.server.stop()


class WithWorkers(BesideRedis, Ours):
    """Several workers, that tell each other of events by Redis; without it, by the log alone."""

    def __init__(self, workers: int, users: int = USERS, **environ: str) -> None:
        super().__init__(users, WEB_CONCURRENCY=str(workers), **environ)

    def start(self) -> None:
        if not missing_program("redis-server"):
            self._redis = Redis()
            self.server.environ["REDIS_URL"] = self._redis.url
        super().start()


class OverWebSocket(Ours):
    """The same events by Pusher's protocol; each subscription authorized as pusher-js has it."""

    name = "this server, WebSocket"
    note = "as above; each subscription authorized by `/pusher/auth`, as pusher-js does it"
    ready = "subscription_succeeded"
    comes_back = replays = False

    def __init__(self) -> None:
        # Who has not signed in counts as a guest: a thousand of an address, if nothing is said.
        super().__init__(REALTIME_MAX_STREAMS_PER_ADDRESS="100000")

    def requests(self) -> list[bytes]:
        return [handshake()]

    def answer(self, message: str) -> str:
        if not (found := socket_id(message)):
            return ""
        self.tokens.append(token := self.tokens.pop(0))
        form = {"socket_id": found, "channel_name": self.channel}
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Token {token}",
        }
        auth = json.loads(self.post("/pusher/auth", urlencode(form).encode(), **headers))["auth"]
        return subscribe(self.channel, auth)


class ByPlainWorker(Ours):
    """gunicorn's own ASGI worker, which lends nothing: everything by `send`."""

    name = "this server, gunicorn's plain ASGI worker"
    note = "the same application by ASGI's `send`"

    def __init__(self) -> None:
        super().__init__()
        self.server.run_by([*web_command(), "--worker-class", "asgi"])


class ByUvicorn(Ours):
    """uvicorn, which lends nothing either."""

    name = "this server, uvicorn"
    note = "the same application by ASGI's `send`; uvloop and httptools"

    def __init__(self) -> None:
        super().__init__()
        program = str(BIN / "uvicorn")
        options = ("--backlog", "4096", "--log-level", "warning", "--no-access-log")
        self.server.run_by([program, "api.asgi:application", "--port", str(self.port), *options])

    @classmethod
    def missing(cls) -> str:
        return missing_packages("uvicorn")
