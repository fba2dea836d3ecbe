"""Everything that can end a right, and streams that rest on it on every worker of some servers.

Each way to end a right has a victim of its own: a user with streams by a certain login. All are
members of one list, in which somebody goes on writing.
"""

import asyncio
import base64
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx

from tests.servers import DEADLINE, ROOT, Server
from tests.torture.clients import Client, all_opened
from tests.torture.load import RestWriter

CSRF = "a" * 32

# Runs what it reads, a line of JSON each; victims are made as an application makes users.
_CONSOLE = """
import json, sys
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from rest_framework.authtoken.models import Token
from todos.models import Membership, TodoList

def browser(user):
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value

def make(names, todo_list):
    password, made = make_password("realtime"), {}
    for name in names:
        user = User.objects.create(username=name, password=password)
        Membership.objects.create(todo_list_id=todo_list, user=user)
        token = Token.objects.create(user=user).key
        made[name] = [user.pk, token, browser(user), browser(user)]
    return made

for line in sys.stdin:
    scope = json.loads(line)
    code = scope.pop("code")
    scope = globals() | scope
    exec(code, scope)
    print("=" + json.dumps(scope.get("answer")), flush=True)
"""


class Console:
    """A process with Django on a server's database, that is told what to do."""

    def __init__(self, server: Server) -> None:
        command = [sys.executable, "manage.py", "shell", "-v0", "-c", _CONSOLE]
        self._process = subprocess.Popen(
            command, env=server.environ, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def run(self, code: str, **names: object) -> object:
        """Runs a statement; what it has called `answer`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(names | {"code": code}) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("="):  # All else is Django's own log.
                return json.loads(line[1:])
        raise AssertionError(f"The console has ended at: {code}")

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(20)


@dataclass(eq=False)
class Victim:
    """A user, the way in which their right ends, and their streams."""

    way: str
    login: str
    end: str | Callable[["Victim"], httpx.Response]
    name: str
    pk: int = 0
    token: str = ""
    session: str = ""
    other_session: str = ""
    todo_list: int = 0
    server: Server | None = None
    """By which it ends."""
    owner: httpx.Client | None = None
    streams: list[Client] = field(default_factory=list)
    ended: float = 0.0

    @property
    def channel(self) -> str:
        return f"private-todo-list.{self.todo_list}"

    @property
    def header(self) -> str:
        """What logs in."""
        if self.login == "session":
            return f"Cookie: sessionid={self.session}"
        if self.login == "password":
            text = base64.b64encode(f"{self.name}:realtime".encode()).decode()
            return f"Authorization: Basic {text}"
        return f"Authorization: Token {self.token}"

    def client(self, server: Server) -> Client:
        """A stream that is yet to be opened."""
        if self.login != "ticket":
            return Client(server.port, [self.channel], "", login=self.header)
        headers = {"Authorization": f"Token {self.token}"}
        answer = httpx.post(f"{server.url}/api/events/ticket/", headers=headers, timeout=20)
        query = f"&ticket={answer.json()['ticket']}".encode()
        return Client(server.port, [self.channel], "", login="X-None: 1", query=query)

    def refused(self, server: Server) -> int:
        """How the server answers when they come back."""
        name, _, value = self.header.partition(": ")
        url = f"{server.url}/api/events/?channel={self.channel}"
        headers = {name: value, "Accept": "application/json"}
        return httpx.get(url, headers=headers, timeout=20).status_code

    @property
    def delays(self) -> list[float]:
        """For each stream, the seconds until it said that the right has ended."""
        return [error_of(client) - self.ended for client in self.streams]

    def faults(self) -> Iterator[str]:
        """What is wrong with the way in which the streams have ended."""
        for client in self.streams:
            kinds = [kind for _, _, kind, _ in client.events]
            if kinds.count(b"stream-error") != 1 or kinds[-1] != b"stream-error":
                yield f"{self.way}: {kinds[-3:]}, and not an error at the end"
            elif json.loads(client.events[-1][3])["channels"] != [self.channel]:
                yield f"{self.way}: the error names other channels"
            if not client.lost_at:
                yield f"{self.way}: the stream is still open"


def error_of(client: Client) -> float:
    """The moment in which a stream said that its right has ended, or never."""
    moments = [moment for moment, _, kind, _ in client.events if kind == b"stream-error"]
    return moments[0] if moments else float("inf")


def _remove(victim: Victim) -> httpx.Response:
    assert victim.owner is not None
    return victim.owner.delete(f"/api/todo-lists/{victim.todo_list}/members/{victim.name}/")


def _delete_list(victim: Victim) -> httpx.Response:
    assert victim.owner is not None
    return victim.owner.delete(f"/api/todo-lists/{victim.todo_list}/")


def _leave(victim: Victim) -> httpx.Response:
    assert victim.server is not None
    url = f"{victim.server.url}/api/todo-lists/{victim.todo_list}/members/{victim.name}/"
    headers = {"Authorization": f"Token {victim.token}"}
    return httpx.delete(url, headers=headers, timeout=20)


def _log_out(victim: Victim, page: str = "logout", session: str = "") -> httpx.Response:
    assert victim.server is not None
    cookies = {"sessionid": session or victim.session, "csrftoken": CSRF}
    url = f"{victim.server.url}/accounts/{page}/"
    return httpx.post(url, cookies=cookies, headers={"X-CSRFToken": CSRF}, timeout=20)


def _log_out_everywhere(victim: Victim) -> httpx.Response:
    return _log_out(victim, "logout-everywhere", victim.other_session)


_USER = "user = User.objects.get(pk=pk); "
_PASSWORD = _USER + "user.set_password('another'); user.save()"
_DISABLE = _USER + "user.is_active = False; user.save()"
_DELETE = _USER + "user.delete()"

WAYS: tuple[tuple[str, str, str | Callable[[Victim], httpx.Response]], ...] = (
    ("membership removed", "token", _remove),
    ("membership left", "session", _leave),
    ("membership deleted in bulk", "token", "Membership.objects.filter(user=pk).delete()"),
    ("list deleted", "token", _delete_list),
    ("logout", "session", _log_out),
    ("logout everywhere", "session", _log_out_everywhere),
    ("logout everywhere", "token", _log_out_everywhere),
    ("logout everywhere", "ticket", _log_out_everywhere),
    ("session expired", "session",
     "Session.objects.filter(pk=session).update(expire_date=timezone.now())"),
    ("session deleted", "session", "Session.objects.get(pk=session).delete()"),
    ("password changed", "session", _PASSWORD),
    ("password changed", "password", _PASSWORD),
    ("token deleted", "token", "Token.objects.get(user=pk).delete()"),
    ("token deleted in bulk", "ticket", "Token.objects.filter(user=pk).delete()"),
    ("user disabled", "token", _DISABLE),
    ("user disabled in bulk", "session", "User.objects.filter(pk=pk).update(is_active=False)"),
    ("user deleted", "token", _DELETE),
    ("user deleted", "session", _DELETE),
)  # fmt: skip


class Scene:
    """Victims with streams on every worker, witnesses, and a writer who goes on."""

    def __init__(self, servers: list[Server]) -> None:
        self._servers = servers
        self._console = Console(servers[0])
        self.owner = servers[0].client("alice")
        self.victims: list[Victim] = []
        self.witnesses: list[Client] = []
        self._rounds = 0

    def play(self) -> None:
        """Opens the streams, has every right end, and waits for what comes of it."""
        shared, doomed = self._list("shared"), self._list("doomed")
        self._make_victims(shared, doomed)
        asyncio.run(self._play(shared, doomed))

    def close(self) -> None:
        self.owner.close()
        self._console.close()

    def faults(self) -> list[str]:
        """All that is not as it must be."""
        found = [fault for victim in self.victims for fault in victim.faults()]
        for victim in self.victims:
            other = next(server for server in self._servers if server is not victim.server)
            if (status := victim.refused(other)) not in (401, 403):
                found.append(f"{victim.way} by {victim.login}: may come back, {status}")
        return found

    def _list(self, name: str) -> int:
        return int(self.owner.post("/api/todo-lists/", json={"name": name}).json()["id"])

    def _make_victims(self, shared: int, doomed: int) -> None:
        self.victims = [
            Victim(*way, name=f"victim{self._rounds}-{n}", owner=self.owner)
            for n, way in enumerate(WAYS)
        ]
        self._rounds += 1
        for n, victim in enumerate(self.victims):
            victim.todo_list = doomed if victim.end is _delete_list else shared
            victim.server = self._servers[n % len(self._servers)]
        for pk in (shared, doomed):
            names = [victim.name for victim in self.victims if victim.todo_list == pk]
            made = self._console.run("answer = make(names, pk)", names=names, pk=pk)
            assert isinstance(made, dict)
            for victim in self.victims:
                if victim.todo_list == pk:
                    victim.pk, victim.token, victim.session, victim.other_session = made[
                        victim.name
                    ]

    async def _play(self, shared: int, doomed: int) -> None:
        await self._open(f"private-todo-list.{shared}")
        writers = [
            RestWriter(self._servers[-1], todo_list=pk, pause=0.1).start()
            for pk in (shared, doomed)
        ]
        try:
            await self._end_all()
        finally:
            for writer in writers:
                await asyncio.to_thread(writer.stop)
        for client in self.witnesses:
            client.drop()

    async def _end_all(self) -> None:
        await _until(lambda: all(_heard(c) for v in self.victims for c in v.streams), "an event")
        for victim in self.victims:
            victim.ended = time.monotonic()
            await asyncio.to_thread(self._end, victim)
        with contextlib.suppress(AssertionError):  # `faults` will say which.
            await _until(lambda: all(c.lost_at for v in self.victims for c in v.streams), "ends")
        end = time.monotonic()
        # Whoever still heard something would have heard this.
        await _until(lambda: all(_heard(c, end) >= 5 for c in self.witnesses), "witnesses to go on")

    async def _open(self, channel: str) -> None:
        token = self._servers[0].token()
        self.witnesses = []
        for server in self._servers:
            self.witnesses += await _everywhere(server, lambda s: Client(s.port, [channel], token))
            for victim in self.victims:
                victim.streams += await _everywhere(server, victim.client)

    def _end(self, victim: Victim) -> None:
        if callable(victim.end):
            assert victim.end(victim).status_code in (204, 302)
        else:
            self._console.run(victim.end, pk=victim.pk, session=victim.session)


def _heard(client: Client, since: float = 0.0) -> int:
    """How many events have come since a moment."""
    return sum(moment > since for moment, *_ in client.events)


async def _everywhere(server: Server, make: Callable[[Server], Client]) -> list[Client]:
    """Opens streams until every worker of a server holds one."""
    clients: list[Client] = []
    holders: set[int] = set()
    while holders != set(server.workers):
        assert len(clients) < 60, "some worker gets no stream"
        client = await asyncio.to_thread(make, server)
        await all_opened([await client.open()], DEADLINE)
        holders |= set(server.holders([client.port]))
        clients.append(client)
    return clients


async def _until(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"Waited {DEADLINE:g} s in vain for {what}"
        await asyncio.sleep(0.02)
