"""Thousands of streams on bare connections, in one event loop: they cost the machine little."""

import asyncio
import json
import re
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any, Self

from tests.servers import Server

LINE = "private-todo-list.1"
"""The channel of the demo's list, which all users of `crowd` are members of."""

_FRAME = re.compile(rb"(?:id: (\S+)\n)?event: ([^\n]+)\ndata:? ?([^\n]*)\n\n")
_PROTOCOL = (b"stream-open", b"keep-alive")


class Client(asyncio.Protocol):
    """One stream. It notes what comes, and remembers where it was when it comes back."""

    def __init__(
        self,
        port: int,
        channels: Iterable[str],
        token: str,
        *,
        last_event_id: bytes = b"",
        query: bytes = b"",
        login: str = "",
    ) -> None:
        self.server = port
        """The port of the server."""
        path = "/api/events/?" + "&".join(f"channel={name}" for name in channels)
        # `login` is a header in place of the token's.
        headers = (
            f" HTTP/1.1\r\nHost: 127.0.0.1\r\n{login or f'Authorization: Token {token}'}\r\n"
            "Accept: text/event-stream\r\n"
        )
        self._head = b"GET " + path.encode() + query + headers.encode()
        self.last_event_id = last_event_id
        self.status = 0
        self.opened_at = 0.0
        self.lost_at = 0.0
        self.retry = 0.0
        self.events: list[tuple[float, bytes, bytes, bytes]] = []
        """Moment, id, type and data of every change."""
        self.on_event: Callable[[Client], None] = _nothing
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._over: asyncio.Future[None] | None = None

    async def open(self) -> Self:
        """Connects and asks for the stream, from where it was; does not wait for the answer."""
        loop = asyncio.get_running_loop()
        self.status, self.opened_at, self.lost_at, self._rest = 0, 0.0, 0.0, b""
        self._over = loop.create_future()
        await loop.create_connection(lambda: self, "127.0.0.1", self.server)
        return self

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        resume = b"Last-Event-ID: %s\r\n" % self.last_event_id if self.last_event_id else b""
        transport.write(self._head + resume + b"\r\n")

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self.status:
            data = self._rest + data
            if b"\r\n\r\n" not in data:
                self._rest = data
                return
            self.status, self._rest = int(data[9:12]), b""
        if self._rest:
            data = self._rest + data
        end = 0
        for frame in _FRAME.finditer(data):
            end = frame.end()
            self._take(now, frame)
        self._rest = data[end:]

    def _take(self, now: float, frame: re.Match[bytes]) -> None:
        identity, kind, text = frame.groups()
        if identity:
            self.last_event_id = identity
        if kind == b"stream-open":
            self.opened_at = now
        if kind not in _PROTOCOL:
            self.events.append((now, identity, kind, text))
            self.on_event(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost_at = time.monotonic()
        if self._over is not None and not self._over.done():
            self._over.set_result(None)

    @property
    def port(self) -> int:
        """That of its own end."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def drop(self) -> None:
        """Breaks the connection."""
        if self._transport is not None:
            self._transport.abort()

    async def lost(self) -> None:
        """Waits until the connection is gone."""
        assert self._over is not None
        await self._over


def _nothing(client: Client) -> None:
    """Nobody wants to know."""


def crowd(server: Server, count: int) -> list[str]:
    """Tokens of as many new users, all members of the demo's list."""
    printed = server.shell(
        "import json\n"
        "from django.contrib.auth.models import User\n"
        "from rest_framework.authtoken.models import Token\n"
        "from todos.models import TodoList\n"
        f"names = [f'user{{n}}' for n in range({count})]\n"
        "User.objects.bulk_create(User(username=name, password='!') for name in names)\n"
        "users = list(User.objects.filter(username__in=names))\n"
        "keys = [Token.generate_key() for user in users]\n"
        "Token.objects.bulk_create(Token(user=u, key=k) for u, k in zip(users, keys))\n"
        "TodoList.objects.get(pk=1).members.add(*users)\n"
        "print(json.dumps(keys))"
    )
    return list(json.loads(printed.splitlines()[-1]))


async def all_opened(clients: Iterable[Client], patience: float) -> None:
    """Waits until all streams are open; fails with what those say that are not."""
    clients = list(clients)
    end = time.monotonic() + patience
    while waiting := [client for client in clients if not client.opened_at]:
        if time.monotonic() > end:
            answers = {client.status for client in waiting}
            raise AssertionError(f"{len(waiting)} streams are not open; answered: {answers}")
        await asyncio.sleep(0.02)


async def drop_all(clients: Iterable[Client]) -> None:
    """Breaks the connections; returns once they are gone."""
    clients = list(clients)
    for client in clients:
        client.drop()
    await asyncio.gather(*(client.lost() for client in clients))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that this share of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def narrow_socket(port: int) -> socket.socket:
    """A connection whose receiver takes as little as the kernel allows before it reads."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port))
    return connection
