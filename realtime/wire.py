"""Direct delivery: a connection's bytes go straight to its transport, without ASGI's `send`.

Most of what a delivery costs is the system's write; a `send` of its own for each connection doubles
that. A server that gives access to its connections says so in the ASGI scope, by the extension
`EXTENSION`: `realtime.gunicorn` does. Everywhere else, `send` is used.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, MutableMapping
from typing import Any, Generic, NamedTuple

from realtime import failpoints
from realtime.subscriber import AnySubscriber, Frame, Subscriber

logger = logging.getLogger(__name__)

EXTENSION = "realtime.transport"
"""In a scope's extensions: a `Lend`."""


class Loan(NamedTuple):
    """A transport that somebody else's server has accepted."""

    transport: asyncio.WriteTransport
    give_back: Callable[[], None]
    """To be called when the connection is lost."""
    descriptor: int | None = None
    """What may be written to as well, while nothing waits in the transport. Whoever lends it calls
    the wire's `step_aside` before anybody else writes to the transport or closes it: by then the
    number may be that of another connection, or of a file."""


Lend = Callable[["Wire[Any]"], Loan | None]
"""Has a wire told by the transport what protocols are told; None if the connection is lost."""


def lender(scope: MutableMapping[str, Any]) -> Lend | None:
    """What lends the connection of an ASGI scope, where the server does that."""
    found: Lend | None = (scope.get("extensions") or {}).get(EXTENSION)
    return found


_TURN = 0.01
"""Seconds of writing after which others have their turn."""

_STEP = 64
"""Connections that are written to before the clock is looked at."""


class Flusher:
    """Writes to thousands of connections. What became due to one of them in a turn of the event
    loop goes out in one write, and what is due to many is encoded once. Belongs to one loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._due: deque[Wire[Any]] = deque()
        self.on_idle: Callable[[AnySubscriber], None] = _nobody
        """Called with each subscriber for whom nothing waits any more, but in its transport, if
        that has a descriptor."""

    @property
    def is_busy(self) -> bool:
        """Whether something is due."""
        return bool(self._due)

    def time(self) -> float:
        """The loop's time, in seconds."""
        return self._loop.time()

    def add(self, wire: "Wire[Any]") -> None:
        """Has a wire flushed in the next turn."""
        if not self._due:
            self._loop.call_soon(self._flush)
        self._due.append(wire)

    def _flush(self) -> None:
        encoded: dict[Any, bytes] = {}
        due, end = self._due, self._loop.time() + _TURN
        while due:
            for _ in range(min(_STEP, len(due))):
                wire = due.popleft()
                try:
                    wire.flush(encoded)
                except Exception:
                    wire.fail()
            if due and self._loop.time() > end:
                self._loop.call_soon(self._flush)
                return


class _Hushed(asyncio.WriteTransport):
    """A transport whose last word has been said."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def write(self, data: object) -> None:
        """Goes nowhere."""

    def is_closing(self) -> bool:
        """Whether the connection is ending."""
        return self._transport.is_closing()

    def get_write_buffer_size(self) -> int:
        """How much waits of what came before."""
        return self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Closes the connection once that is sent."""
        self._transport.close()

    def abort(self) -> None:
        """Breaks the connection off."""
        self._transport.abort()


class Wire(ABC, Generic[Frame]):
    """What connects a subscriber to a transport. What the transport can't pass on at once it keeps,
    until that is more than its limit; then everything waits in the subscriber's buffer."""

    __slots__ = (
        "_blocked",
        "_descriptor",
        "_due",
        "_flushed",
        "_flusher",
        "_step_out",
        "_subscriber",
        "_transport",
    )

    def __init__(self, flusher: Flusher, subscriber: Subscriber[Frame]) -> None:
        self._flusher = flusher
        self._subscriber: Subscriber[Frame] = subscriber
        self._transport: asyncio.WriteTransport | None = None
        self._blocked = False
        self._due = False
        self._flushed: asyncio.Future[None] | None = None
        self._step_out: Callable[[AnySubscriber], None] | None = None
        self._descriptor: int | None = None

    def connect(self, lend: Lend) -> Callable[[], None] | None:
        """Begins to write; answers what is to be called when the connection is lost, or None if it
        is lost already."""
        loan = lend(self)
        if loan is None:
            return None
        self._transport, self._descriptor = loan.transport, loan.descriptor
        self._subscriber.on_write(self._wake)
        self._subscriber.outlet = self
        self._wake()
        return loan.give_back

    @abstractmethod
    def encode(self, frames: list[Frame]) -> bytes:
        """Frames as the connection carries them. The same for all connections of the transport."""

    @abstractmethod
    def finish(self) -> None:
        """Called when everything has been passed on that there will ever be."""

    async def flushed(self) -> None:
        """Returns once everything that was written is sent, for whoever has much to write."""
        while self._subscriber.frames or self._blocked:
            self._flushed = self._flushed or asyncio.get_running_loop().create_future()
            await self._flushed

    def fail(self) -> None:
        """Breaks off a connection because of the error that is being handled: what goes wrong with
        one must not be the end of all others."""
        logger.exception(
            "A connection can't be written to, and is broken off",
            extra={"request_id": self._subscriber.request_id},
        )
        self._subscriber.ending = self._subscriber.ending or "error"
        self.abort()

    def abort(self) -> None:
        """Breaks the connection off; the client will resume where it was."""
        self.step_aside()
        if self._transport is not None:
            self._transport.abort()

    # As of asyncio's protocols

    def pause_writing(self) -> None:
        """Called when too much waits in the transport."""
        self._blocked = True
        self._subscriber.stalled_since = self._flusher.time()

    def resume_writing(self) -> None:
        """Called when most of it has been passed on."""
        self._blocked = False
        self._subscriber.stalled_since = None
        self._wake()

    # As of an outlet

    def send(self, data: bytes) -> bool:
        """Sends at once, unless something has to go before it."""
        transport = self._transport
        # What waits, or has ended, is due; or it waits because the transport is blocked.
        if self._due or self._blocked or transport is None or transport.is_closing():
            return False
        self._write(data)
        if self._step_out is not None and transport.get_write_buffer_size():
            self.step_aside()
        return True

    def straight(self, step_out: Callable[[AnySubscriber], None]) -> int | None:
        """What may be written to until `step_out` is called. None while anything has to go before
        that, here or in the transport, or when nothing may be written any more."""
        transport = self._transport
        if self._due or self._blocked or transport is None or transport.is_closing():
            return None
        if self._descriptor is None or transport.get_write_buffer_size():
            return None
        self._step_out = step_out
        return self._descriptor

    def complete(self, data: bytes) -> None:
        """Has the transport send what its descriptor did not take, or find out why."""
        self.step_aside()
        self._write(data)

    def step_aside(self) -> None:
        """To be called before anybody writes to the transport, or it closes its descriptor: from
        then on, nobody else writes to that."""
        if self._step_out is not None:
            step_out, self._step_out = self._step_out, None
            step_out(self._subscriber)

    def hush(self) -> None:
        """To be called when somebody else sends the connection's end, after which nothing may come:
        what there still is goes nowhere."""
        self.step_aside()
        self._descriptor = None
        if self._transport is not None:
            self._transport = _Hushed(self._transport)

    # As of the flusher

    def flush(self, encoded: dict[Any, bytes]) -> None:
        """Writes what waits; `encoded` remembers what others were written in the same turn."""
        self._due = False
        subscriber, transport = self._subscriber, self._transport
        if transport is None or transport.is_closing():
            return
        if subscriber.cut:
            self.abort()
            return
        if self._blocked:
            return
        if frames := subscriber.take():
            key = frames[0] if len(frames) == 1 else tuple(frames)
            data = encoded.get(key)
            if data is None:
                failpoints.reach("stream.sending")
                data = encoded[key] = self.encode(frames)
            transport.write(data)
        if self._flushed is not None:
            self._settle()
        if subscriber.ended:
            self.finish()
        elif self._descriptor is not None:
            self._flusher.on_idle(subscriber)

    def _settle(self) -> None:
        if self._flushed is not None and not (self._subscriber.frames or self._blocked):
            # Who waited may have been cancelled, and this with it.
            if not self._flushed.done():
                self._flushed.set_result(None)
            self._flushed = None

    def _write(self, data: bytes) -> None:
        try:
            if self._transport is not None:
                self._transport.write(data)
        except Exception:
            self.fail()

    def _wake(self) -> None:
        if not self._due:
            self._due = True
            self.step_aside()
            self._flusher.add(self)


def _nobody(subscriber: AnySubscriber) -> None:
    """Nobody wants to know."""
