"""gunicorn's ASGI worker, which lends its connections for direct delivery.

``worker_class = "realtime.gunicorn.Worker"``. It relies on a few inner names of gunicorn's; where
one of them is missing, connections are not lent and everything goes through ASGI's `send`.
"""

import asyncio
import gc
import socket
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from realtime import pool
from realtime.bridge import Scope
from realtime.wire import EXTENSION, Loan, Wire

_SOON = 3.0
"""Seconds in which connections may end in good order after a SIGINT or SIGQUIT."""


# A peer whose network is gone sends no end. The kernel gives up on it when it has acknowledged
# nothing for this many seconds; keep-alive events give it something to acknowledge.
_UNACKNOWLEDGED = 25

# What the kernel takes of what it can't send yet. By default it is megabytes: for so long nobody
# would notice that a reader has stopped, and each of them would cost that much memory.
_UNSENT = 64 * 1024

# The first octet of a WebSocket's Close frame, after which no data may be sent: RFC 6455, 5.5.1.
# gunicorn answers a client's by itself, before anybody else hears of it.
_CLOSE = b"\x88"

_SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", _UNACKNOWLEDGED * 1000),
    (socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", _UNSENT),
)


def _nothing() -> None:
    """gunicorn sees by itself that the connection is lost."""


def _descriptor(transport: asyncio.WriteTransport) -> int | None:
    """What a transport writes to, if it writes what it is given as it is."""
    if transport.get_extra_info("ssl_object") is not None:
        return None
    found: int = transport.get_extra_info("socket").fileno()
    return found


class Shared:
    """A lent transport, as gunicorn itself writes to it: pongs, say."""

    def __init__(self, transport: asyncio.WriteTransport, wire: Wire[Any]) -> None:
        self._transport = transport
        self._wire = wire

    def write(self, data: bytes) -> None:
        """As of asyncio's transports."""
        if data[:1] == _CLOSE:
            self._wire.hush()
        else:
            self._wire.step_aside()
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """One connection of HTTP/1, which may be lent once an answer has begun."""

    transport: Any
    _closed: bool
    _websocket: Any
    _wire: Wire[Any] | None = None

    def _build_http_scope(self, request: Any, sockname: Any, peername: Any) -> Scope:
        scope: Scope = super()._build_http_scope(request, sockname, peername)
        # Without chunks, as before HTTP/1.1 and behind uwsgi, an answer is framed in another way.
        if request.version >= (1, 1) and request.method != "HEAD" and not self._uses_uwsgi:
            scope.setdefault("extensions", {})[EXTENSION] = self._give
        return scope

    def _build_websocket_scope(self, request: Any, sockname: Any, peername: Any) -> Scope:
        scope: Scope = super()._build_websocket_scope(request, sockname, peername)
        scope.setdefault("extensions", {})[EXTENSION] = self._share
        return scope

    def _give(self, wire: Wire[Any]) -> Loan | None:
        """Lends the connection for good: nothing of this object and its request is needed any
        more. From now on, the wire is the transport's protocol."""
        if self._closed or self.transport.is_closing():
            return None
        self._resume_reading()
        # By this, gunicorn's own handling of the connection ends, and leaves the transport alone.
        self._closed = True
        self.transport.set_protocol(wire)
        return Loan(self.transport, self.worker.give_back, _descriptor(self.transport))

    def _share(self, wire: Wire[Any]) -> Loan | None:
        """Lends the transport for writing; what comes in is read here as ever."""
        if self._closed or self.transport.is_closing():
            return None
        self._wire = wire
        transport: asyncio.WriteTransport = self.transport
        if getattr(self._websocket, "transport", None) is not self.transport:
            return Loan(transport, _nothing)
        self._websocket.transport = Shared(transport, wire)
        return Loan(transport, _nothing, _descriptor(transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the transport before it closes its descriptor."""
        if self._wire is not None:
            self._wire.step_aside()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Called by the transport when its buffer is full."""
        super().pause_writing()
        if self._wire is not None:
            self._wire.pause_writing()
            # Each ping of a client that takes nothing would add a pong to what waits.
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Called by the transport when there is room again."""
        super().resume_writing()
        if self._wire is not None:
            self.transport.resume_reading()
            self._wire.resume_writing()


def _set_up(listeners: Iterable[Any]) -> None:
    """Sets what accepted connections have of their listeners; some systems lack some of it."""
    for listener in listeners:
        if listener.FAMILY != socket.AF_UNIX:
            for level, name, value in _SOCKET_OPTIONS:
                if hasattr(socket, name):
                    listener.setsockopt(level, getattr(socket, name), value)


class Worker(ASGIWorker):  # type: ignore[misc]
    """Serves by `Connection`, listens as `backlog` says, and counts together with the others."""

    def __init__(self, *args: Any, **options: Any) -> None:
        # Still in the master.
        super().__init__(*args, **options)
        self._pool = pool.of_this_master()
        _set_up(self.sockets)

    def init_process(self) -> None:
        """Called in the worker, first of all."""
        self._pool.join()
        super().init_process()

    def load_wsgi(self) -> None:
        """Called once, before anything is served."""
        super().load_wsgi()
        # What is loaded by now stays for good: to look through all of it again for cycles takes the
        # time of a dozen requests, in which this process does nothing else.
        gc.collect()
        gc.freeze()

    def give_back(self) -> None:
        """Called when a connection that was lent for good is lost: at the end, the worker waits
        for those that are left."""
        self.nr_conns -= 1

    def handle_quit_signal(self) -> None:
        """Called for SIGINT and SIGQUIT: ends in good order too, but soon."""
        # A Ctrl-C sends both, one after the other.
        if self.alive:
            self.handle_exit_signal()
        self.loop.call_later(_SOON, super().handle_quit_signal)

    def _setup_event_loop(self) -> None:
        super()._setup_event_loop()
        self.loop.create_server = partial(self._create_server, self.loop.create_server)

    async def _create_server(
        self, create_server: Callable[..., Any], _: Any, **options: Any
    ) -> asyncio.Server:
        # The loop would listen anew, with asyncio's backlog of 100: of thousands that reconnect at
        # once, most would wait for seconds.
        options["backlog"] = self.cfg.backlog
        server: asyncio.Server = await create_server(partial(Connection, self), **options)
        return server
