"""The servers that are compared: each opens streams of one channel, and publishes to it.

An event is about 150 bytes on the wire, and has in it when it was made, for the load client.
"""

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.accounting import family
from benchmarks.load import compiled
from realtime.signatures import App, body_md5
from tests.ports import free_port, wait_until
from tests.servers import ROOT, Server

CHANNEL = "private-todo-list.1"


def stamp() -> str:
    """Now, as the load client reads it."""
    return f"@@{time.monotonic_ns():019d}"


class Peer(ABC):
    """One server with one channel."""

    name: str
    ready: str = "stream-open"
    """What an open stream's first bytes have in them."""
    hello: bytes = b""

    def __init__(self) -> None:
        self.port = free_port()
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    @abstractmethod
    def start(self) -> None:
        """Starts it, and returns when it answers."""

    @abstractmethod
    def requests(self, count: int) -> list[bytes]:
        """Requests that open streams, of `count` different users where there are users."""

    @abstractmethod
    def publish(self) -> None:
        """Sends one event to all."""

    def publish_many(self, count: int) -> None:
        """Sends events as quickly as its interface allows."""
        for _ in range(count):
            self.publish()

    @abstractmethod
    def pids(self) -> list[int]:
        """The processes that serve."""

    @abstractmethod
    def stop(self) -> None:
        """Ends it."""

    def post(self, path: str, body: bytes, **headers: str) -> None:
        """Posts by a connection that is kept; fails on any answer but a good one."""
        self.connection.request("POST", path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{self.name}: {answer.status} {text[:200]!r}")

    def answers(self) -> bool:
        """Whether somebody listens."""
        try:
            probe = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            probe.connect()
        except OSError:
            return False
        probe.close()
        return True


class Ours(Peer):
    """This project as its Procfile runs it, one worker, with rights, log and all."""

    name = "this server"
    app = App("1", "bench", "only-for-benchmarks")

    def __init__(self, **environ: str) -> None:
        super().__init__()
        self.server = Server(
            Path(tempfile.mkdtemp(prefix="bench-")),
            REALTIME_MAX_STREAMS_PER_USER="20000",
            PUSHER_APP_ID=self.app.id,
            PUSHER_KEY=self.app.key,
            PUSHER_SECRET=self.app.secret,
            **environ,
        )
        self.port = self.server.port
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def start(self) -> None:
        self.server.manage("migrate", "--verbosity", "0")
        self.server.manage("demo")
        self.server.start()

    def requests(self, count: int) -> list[bytes]:
        head = (
            f"GET /api/events/?channel={CHANNEL} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "Accept: text/event-stream\r\nAuthorization: Token {}\r\n\r\n"
        )
        return [head.format(token).encode() for token in self._tokens(count)]

    def _tokens(self, count: int) -> list[str]:
        printed = self.server.shell(
            "from django.contrib.auth.models import User\n"
            "from rest_framework.authtoken.models import Token\n"
            "from todos.models import TodoList\n"
            f"names = [f'user{{n}}' for n in range({count})]\n"
            "User.objects.bulk_create(User(username=name, password='!') for name in names)\n"
            "users = list(User.objects.filter(username__in=names))\n"
            "keys = [Token.generate_key() for user in users]\n"
            "Token.objects.bulk_create(Token(user=u, key=k) for u, k in zip(users, keys))\n"
            "TodoList.objects.get(pk=1).members.add(*users)\n"
            "print(*keys)"
        )
        return printed.splitlines()[-1].split()

    def publish(self) -> None:
        self._call("events", {"name": "note", "channel": CHANNEL, "data": json.dumps(stamp())})

    def publish_many(self, count: int) -> None:
        event = {"name": "note", "channel": CHANNEL}
        for start in range(0, count, 10):
            batch = [event | {"data": json.dumps(stamp())} for _ in range(min(10, count - start))]
            self._call("batch_events", {"batch": batch})

    def _call(self, name: str, content: object) -> None:
        path, body = f"/apps/{self.app.id}/{name}", json.dumps(content).encode()
        query = [
            ("auth_key", self.app.key),
            ("auth_timestamp", str(int(time.time()))),
            ("auth_version", "1.0"),
            ("body_md5", body_md5(body)),
        ]
        query.append(("auth_signature", self.app.request_signature("POST", path, query)))
        self.post(f"{path}?{urlencode(query)}", body, **{"Content-Type": "application/json"})

    def pids(self) -> list[int]:
        return self.server.workers

    def stop(self) -> None:
        self.server.stop()


class Process(Peer):
    """A peer that is one command."""

    process: subprocess.Popen[bytes]

    @abstractmethod
    def command(self) -> list[str]:
        """What starts it."""

    def start(self) -> None:
        self.process = subprocess.Popen(self.command())
        wait_until(self.answers, f"{self.name} to answer")

    def pids(self) -> list[int]:
        return family(self.process.pid)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def body(self) -> bytes:
        """A frame as large as ours."""
        data = json.dumps({"channel": CHANNEL, "data": stamp()}, separators=(",", ":"))
        return f"id: 1234-abcdefgh\nevent: note\ndata: {data}\n\n".encode()


class Plain(Process):
    """The limit: plain C."""

    name = "plain C epoll"

    def command(self) -> list[str]:
        return [compiled("plain"), str(self.port)]

    def requests(self, count: int) -> list[bytes]:
        return [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]

    def publish(self) -> None:
        self.post("/", self.body())


NGINX = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
{modules}
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /sub {{ nchan_subscriber eventsource; nchan_channel_id one; }}
        location = /pub {{
            nchan_publisher http; nchan_channel_id one;
            nchan_message_buffer_length 100; nchan_message_timeout 1m;
        }}
    }}
}}
"""


class Nchan(Process):
    """nginx with nchan, one worker: C, no rights, a log of 100 messages in memory."""

    name = "nchan"
    ready = "200 OK"

    def command(self) -> list[str]:
        folder = Path(tempfile.mkdtemp(prefix="bench-"))
        modules = "".join(
            path.read_text().replace("modules/", "/usr/lib/nginx/modules/")
            for path in Path("/etc/nginx/modules-enabled").glob("*nchan*.conf")
        )
        configuration = NGINX.format(folder=folder, port=self.port, modules=modules)
        (folder / "nginx.conf").write_text(configuration)
        return [shutil.which("nginx") or "nginx", "-p", str(folder), "-c", f"{folder}/nginx.conf"]

    def requests(self, count: int) -> list[bytes]:
        return [b"GET /sub HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"]

    def publish(self) -> None:
        data = json.dumps({"channel": CHANNEL, "data": stamp()}, separators=(",", ":"))
        self.post("/pub", data.encode(), **{"X-EventSource-Event": "note"})


class Project(Process):
    """A project of ``benchmarks.projects`` under daphne, in a virtual environment of its own."""

    module: str
    environ: dict[str, str] = {}

    def command(self) -> list[str]:
        application = f"benchmarks.projects.{self.module}:application"
        return [str(PEERS_BIN / "daphne"), "-b", "127.0.0.1", "-p", str(self.port), application]

    def start(self) -> None:
        install_peers()
        environ = os.environ | self.environ
        environ.pop("DJANGO_SETTINGS_MODULE", None)
        with open(os.devnull, "wb") as nowhere:
            self.process = subprocess.Popen(
                self.command(), env=environ, cwd=ROOT, stdout=nowhere, stderr=nowhere
            )
        wait_until(self.answers, f"{self.name} to answer")

    def publish(self) -> None:
        self.post("/pub", stamp().encode())


class EventStream(Project):
    """django-eventstream; it keeps no log."""

    name = "django-eventstream"
    module = "eventstream"

    def requests(self, count: int) -> list[bytes]:
        return [b"GET /events/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"]


class StoredEventStream(EventStream):
    """django-eventstream with its storage in the database."""

    name = "django-eventstream with storage"
    environ = {"BENCH_STORAGE": "1"}


class Channels(Project):
    """Channels with Redis."""

    name = "Channels with Redis"
    module = "sockets"
    ready = "101 Switching"

    def start(self) -> None:
        port = free_port()
        self._redis = subprocess.Popen(
            ["redis-server", "--port", str(port), "--save", "", "--daemonize", "no"],
            stdout=subprocess.DEVNULL,
        )
        self.environ = {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}
        super().start()

    def requests(self, count: int) -> list[bytes]:
        return [
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ]

    def stop(self) -> None:
        super().stop()
        self._redis.terminate()
        self._redis.wait(10)


PEERS_BIN = ROOT / ".bench" / "bin"


def install_peers() -> None:
    """Puts what the peers need into a virtual environment that this project does not share."""
    if not PEERS_BIN.exists():
        subprocess.run([sys.executable, "-m", "venv", str(PEERS_BIN.parent)], check=True)
        requirements = str(ROOT / "benchmarks" / "requirements.txt")
        pip = [str(PEERS_BIN / "pip"), "install", "--quiet", "-r", requirements]
        subprocess.run(pip, check=True)
