"""What brokers between processes have in common: a server in the middle, which may go away."""

import asyncio
import atexit
import logging
import os
import queue
import random
import secrets
import threading
import time
from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, asynccontextmanager, suppress

from realtime import meters
from realtime.brokers.memory import MemoryBroker, batches_from
from realtime.events import Batch, decode, encode
from realtime.exceptions import InvalidEvent

logger = logging.getLogger(__name__)

_OUTBOX = 1000
"""Messages that may wait to be sent. A server that takes none for so long is better left to the
log."""
_FAREWELL = 0.5
"""Seconds for which a process that ends waits for its last messages to leave."""

PING_INTERVAL = 1.0
"""After so many seconds of silence the server is asked whether it is still there."""
PATIENCE = 2.0
"""So many seconds it may take to answer, or to take a message."""

_SILENCE = PING_INTERVAL + 1.5
"""Seconds after which a server that has said nothing counts as one that does not work."""

_SENT, _RECEIVED, _DROPPED = (
    meters.BROKER_MESSAGES.slot(way) for way in ("sent", "received", "dropped")
)


class RemoteBroker(MemoryBroker):
    """Hands batches to this process's listeners at once, and to other processes' by a server.

    What this process publishes never waits for the server: a thread sends it. When that fails, what
    waits is dropped, for listeners find it in the log before the server is back.
    """

    size_limit: int
    """Bytes that a message may have."""

    def __init__(self) -> None:
        super().__init__()
        self._token = secrets.token_hex(8)
        self._outbox: queue.Queue[str | None] = queue.Queue(_OUTBOX)
        self._sender: threading.Thread | None = None
        self._starting = threading.Lock()
        self._sending = _Link("send to")
        self._receiving = _Link("listen to")
        self.heard: float | None = None
        """When the server, which is listened to, last gave a sign of life; None before its first
        one."""

    @abstractmethod
    def connect(self) -> AbstractContextManager[Callable[[str], object]]:
        """A connection for sending messages, which fails sooner than it hangs."""

    @abstractmethod
    def messages(self) -> AsyncGenerator[str | bytes, None]:
        """Connects and listens; yields an empty message once it hears, then what is sent, and notes
        when it has `heard`. Raises when the connection breaks, or falls silent."""

    def publish(self, batch: Batch) -> None:
        super().publish(batch)
        self._start_sender()
        for message in self._messages_of(batch):
            try:
                self._outbox.put_nowait(message)
            except queue.Full:
                meters.count(_DROPPED)

    def trouble(self) -> str:
        if self.heard is None:
            return "It has not been reached yet."
        if self._receiving.is_broken:
            return "It can't be listened to; the log of this process says why."
        if (silence := time.monotonic() - self.heard) > _SILENCE:
            return f"It has said nothing for {silence:.1f} s."
        if self._sending.is_broken:
            return "Nothing can be sent to it; the log of this process says why."
        return ""

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[Batch]]:
        with self._listening() as inbox:
            receiver = asyncio.create_task(self._receive(inbox))
            try:
                yield batches_from(inbox)
            finally:
                receiver.cancel()
                with suppress(asyncio.CancelledError):
                    await receiver

    # Messages: who sends it, so that nobody hears themself, and a batch

    @property
    def _name(self) -> str:
        # A forked process has the token of its parent.
        return f"{self._token}.{os.getpid()}"

    def _messages_of(self, batch: Batch) -> Iterator[str]:
        message = f"{self._name} {encode(batch)}"
        if len(message.encode()) <= self.size_limit:
            yield message
        elif len(batch.events) > 1:
            middle = len(batch.events) // 2
            yield from self._messages_of(Batch(batch.events[:middle], batch.after))
            yield from self._messages_of(Batch(batch.events[middle:], batch.events[middle - 1].id))
        elif batch.after is not None:
            # Too large to be sent; it can be read.
            yield f"{self._name} {encode(Batch())}"
        else:
            logger.warning("An ephemeral event is too large to be sent to other processes")

    def _batch_of(self, message: str | bytes) -> Batch | None:
        text = message.decode(errors="replace") if isinstance(message, bytes) else message
        sender, _, encoded = text.partition(" ")
        if sender == self._name:
            return None
        try:
            return decode(encoded) if encoded else Batch()
        except InvalidEvent:
            logger.warning("The broker brought what is no batch of events; the log is read instead")
            return Batch()

    # Sending

    def _start_sender(self) -> None:
        with self._starting:
            # Not alive after a fork either.
            if self._sender is None or not self._sender.is_alive():
                self._sender = threading.Thread(
                    target=self._send, name="realtime-broker", daemon=True
                )
                self._sender.start()
                atexit.register(self._say_farewell, self._sender)

    def _send(self) -> None:
        link = self._sending
        while True:
            try:
                with self.connect() as send:
                    if link.is_broken:
                        # Who may connect may yet not be allowed to send.
                        send(f"{self._name} {encode(Batch())}")
                        link.is_up()
                    while (message := self._outbox.get()) is not None:
                        send(message)
                        meters.count(_SENT)
                    return
            except Exception as error:
                link.is_down(error)
                threading.Event().wait(link.pause())
                if self._drop_waiting():
                    return

    def _drop_waiting(self) -> bool:
        """Empties the outbox; answers whether the end was in it."""
        with suppress(queue.Empty):
            while self._outbox.get_nowait() is not None:
                meters.count(_DROPPED)
            return True
        return False

    def _say_farewell(self, sender: threading.Thread) -> None:
        with suppress(queue.Full):
            self._outbox.put_nowait(None)
            sender.join(_FAREWELL)

    # Receiving

    async def _receive(self, inbox: asyncio.Queue[Batch]) -> None:
        link = self._receiving
        while True:
            try:
                async with aclosing(self.messages()) as messages:
                    async for message in messages:
                        link.is_up()
                        if (batch := self._batch_of(message)) is not None:
                            meters.values[_RECEIVED] += 1
                            inbox.put_nowait(batch)
            except Exception as error:
                # Whatever it was: without this task, events would come late for ever.
                link.is_down(error)
                await asyncio.sleep(link.pause())


class _Link:
    """Whether a connection is there, told to the log when it changes, and how long to wait for the
    next attempt."""

    def __init__(self, purpose: str) -> None:
        self._purpose = purpose
        self._random = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._failures = 0

    @property
    def is_broken(self) -> bool:
        return self._failures > 0

    def is_up(self) -> None:
        if self._failures:
            meters.count(meters.BROKER_RECONNECTS.first)
            logger.info("Can %s the broker again", self._purpose)
        self._failures = 0

    def is_down(self, error: Exception) -> None:
        if not self._failures:
            logger.warning(
                "Can't %s the broker, going on through the log: %s", self._purpose, error
            )
        self._failures += 1

    def pause(self) -> float:
        """Seconds; they double up to one, and differ between processes."""
        # Not more than ten times: after a thousand, there is no such number.
        longest = min(1.0, 0.05 * 2.0 ** min(self._failures, 10))
        return self._random.uniform(0.5, 1) * longest
