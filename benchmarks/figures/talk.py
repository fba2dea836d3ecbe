"""The talk's numbers: bytes on the wire for each event, by each way of getting it.

Its argument: 100,000 clients that poll each second, 871 bytes of headers each time, are 665 Mbit/s;
by frames of 2 bytes they are 1.5 Mbit/s.
"""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from websockets.frames import Frame, Opcode

from benchmarks.data import Column, Figure, Plot, Row
from benchmarks.figures import Scale
from benchmarks.peers.base import CHANNEL
from benchmarks.peers.ours import Ours
from benchmarks.peers.pusher import APP, socket_id, subscribe
from tests.ports import wait_until

CLIENTS = 100_000
MEGA = 2**20
EVENTS = 10

# As Chromium 156 sends them to a page's own server, where somebody has logged in.
_AGENT = (
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/156.0.0.0 Safari/537.36\r\n"
)
_LANGUAGES = (
    "Accept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Cookie: csrftoken={csrftoken}; sessionid={sessionid}\r\n"
)
_FETCH = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive\r\n{more}"
    'sec-ch-ua-platform: "Linux"\r\n' + _AGENT + "Accept: {accept}\r\n"
    'sec-ch-ua: "Not:A-Brand";v="8", "Chromium";v="156"\r\nsec-ch-ua-mobile: ?0\r\n'
    "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: cors\r\nSec-Fetch-Dest: empty\r\n"
    "Referer: http://{host}/\r\n" + _LANGUAGES + "\r\n"
)
_SOCKET = (
    "GET /app/{key}?protocol=7&client=js&version=8.4.0&flash=false HTTP/1.1\r\nHost: {host}\r\n"
    "Connection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" + _AGENT +
    "Upgrade: websocket\r\nOrigin: http://{host}\r\nSec-WebSocket-Version: 13\r\n" + _LANGUAGES +
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
)  # fmt: skip


class _Browser:
    """One that has logged in, at the level of bytes."""

    def __init__(self, peer: Ours) -> None:
        self._url = peer.server.url
        self._fields = {"host": f"127.0.0.1:{peer.port}", "key": APP.key}
        with httpx.Client(base_url=peer.server.url, timeout=60) as client:
            client.get("/accounts/login/")
            form = {"username": "alice", "password": "realtime"}
            form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
            client.post("/accounts/login/", data=form)
            self._fields |= {name: client.cookies[name] for name in ("csrftoken", "sessionid")}
        self._rest = httpx.Client(
            base_url=peer.server.url, headers={"Authorization": f"Token {peer.server.token()}"}
        )

    def fetch(self, path: str, accept: str, more: str = "") -> bytes:
        """The head of a request."""
        return _FETCH.format(path=path, accept=accept, more=more, **self._fields).encode()

    def handshake(self) -> bytes:
        """The head that opens a WebSocket."""
        return _SOCKET.format(**self._fields).encode()

    def change(self, done: bool) -> int:
        """Changes an item; how long the JSON is that says so, of which everybody must be told."""
        answer = self._rest.patch("/api/todo-items/1/", json={"done": done})
        answer.raise_for_status()
        return len(answer.content)

    def position(self) -> str:
        """Where the log is."""
        link = self._rest.get("/api/todo-items/1/").headers["Link"]
        return str(link.rpartition('last-event-id="')[2].rstrip('"'))

    def moved(self, before: str) -> str:
        """Where the log is, once that is somewhere else; else empty."""
        return position if (position := self.position()) != before else ""


@contextmanager
def _connected(port: int, request: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(request)
        yield connection


def _read(connection: socket.socket, whole: Callable[[bytes], bool]) -> bytes:
    received = b""
    while not whole(received):
        if not (more := connection.recv(65536)):
            raise RuntimeError(f"The connection has ended after {received!r}")
        received += more
    return received


def _answered(received: bytes) -> bool:
    head, _, body = received.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(length) and len(body) >= int(length)


def _exchange(port: int, request: bytes) -> tuple[int, int]:
    """Bytes of a request and of its answer."""
    with _connected(port, request) as connection:
        return len(request), len(_read(connection, _answered))


def polling(browser: _Browser, port: int) -> dict[str, float]:
    """Each asks once a second for the list, whether there is anything new or not."""
    request = browser.fetch("/api/todo-items/?todo_list=1", "application/json")
    with _connected(port, request) as connection:
        answer = _read(connection, _answered)
    body = len(answer.partition(b"\r\n\r\n")[2])
    return _columns(len(request), len(answer), body, requests=1)


def long_polling(browser: _Browser, port: int) -> dict[str, float]:
    """A request for each event, which the answer to it has in it."""
    before = browser.position()
    browser.change(True)
    after = wait_until(lambda: browser.moved(before), "the change to be in the log")
    more = f"Last-Event-ID: {after}\r\n"
    size = browser.change(False)
    request = browser.fetch(f"/api/events/?channel={CHANNEL}", "application/json", more)
    up, down = _exchange(port, request)
    return _columns(up, down - size, size, requests=1)


def stream(browser: _Browser, port: int) -> dict[str, float]:
    """Server-Sent Events."""
    more = "Pragma: no-cache\r\nCache-Control: no-cache\r\n"
    request = browser.fetch(f"/api/events/?channel={CHANNEL}", "text/event-stream", more)
    with _connected(port, request) as connection:
        _read(connection, lambda received: b"stream-open" in received)
        return _pushed(browser, connection, b"\n\n\r\n")


def websocket(browser: _Browser, port: int) -> dict[str, float]:
    """Frames of Pusher's protocol."""
    with _connected(port, browser.handshake()) as connection:
        hello = _read(connection, lambda received: b"activity_timeout" in received)
        auth = APP.channel_auth(socket_id(hello.decode("utf-8", "replace")), CHANNEL)
        frame = Frame(Opcode.TEXT, subscribe(CHANNEL, auth).encode())
        connection.sendall(frame.serialize(mask=True))
        _read(connection, lambda received: b"subscription_succeeded" in received)
        return _pushed(browser, connection, b"}")


def _pushed(browser: _Browser, connection: socket.socket, end: bytes) -> dict[str, float]:
    received = size = 0
    for number in range(EVENTS):
        size += browser.change(number % 2 == 0)
        received += len(_read(connection, lambda data: b"changed" in data and data.endswith(end)))
    return _columns(0, received / EVENTS, size / EVENTS, requests=0)


def _columns(up: float, down: float, data: float, requests: int) -> dict[str, float]:
    overhead = up + down - data
    return {
        "requests": requests,
        "up": up,
        "down": down,
        "overhead": overhead,
        "mbits": overhead * 8 * CLIENTS / MEGA,
        "all_mbits": (up + down) * 8 * CLIENTS / MEGA,
    }


def measure(scale: Scale) -> list[Figure]:
    """Each of the ways, and the talk's own numbers beside them."""
    ways = {
        "polling": polling,
        "long polling": long_polling,
        "SSE": stream,
        "WebSocket": websocket,
    }
    rows = []
    with Ours(users=1) as peer:
        browser = _Browser(peer)
        for label, way in ways.items():
            rows.append(Row(f"this server, {label}", note=(way.__doc__ or "").strip().rstrip(".")))
            rows[-1].add(way(browser, peer.port))
    for label, size in (("polling", 871), ("WebSocket", 2)):
        rows.append(Row(f"the talk, {label}"))
        rows[-1].add({"overhead": size, "mbits": size * 8 * CLIENTS / MEGA})
    return [
        Figure(
            "talk",
            "The talk's numbers: bytes on the wire",
            "An item is changed; bytes of TCP's payload, with the headers that Chromium sends to a"
            " page's own server and all that this server answers. Overhead is what is not the"
            " item's JSON; of that, the framing of SSE's chunks is 7 bytes, that of WebSocket 4,"
            " and the rest is the id to resume from, the type, the channel and what has changed."
            f" Beside it what it is for {CLIENTS:,} clients that each are told of one change a"
            " second (a Mbit is 2^20 bits, as in the talk). A client that polls each second makes"
            " its requests also when nothing changes: sixty for one change a minute.",
            "python -m benchmarks talk",
            [
                Column("requests", "requests an event", 0),
                Column("up", "bytes up", 0),
                Column("down", "bytes down", 0),
                Column("overhead", "overhead, bytes", 0),
                Column("mbits", f"overhead for {CLIENTS:,}, Mbit/s", 1),
                Column("all_mbits", "all bytes for them, Mbit/s", 1),
            ],
            rows,
            plots=[Plot("mbits", logarithmic=True)],
        )
    ]
