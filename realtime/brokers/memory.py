"""The broker of a single process."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from realtime.brokers.base import Broker
from realtime.events import Event


class MemoryBroker(Broker):
    """Hands events from any thread to the event loops that listen in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[asyncio.Queue[list[Event]], asyncio.AbstractEventLoop] = {}

    def publish(self, events: Sequence[Event]) -> None:
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            # A loop that was closed without leaving its context listens no more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, list(events))

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[list[Event]]]:
        queue: asyncio.Queue[list[Event]] = asyncio.Queue()
        with self._lock:
            self._listeners[queue] = asyncio.get_running_loop()
        try:
            yield _messages(queue)
        finally:
            with self._lock:
                del self._listeners[queue]


async def _messages(queue: asyncio.Queue[list[Event]]) -> AsyncIterator[list[Event]]:
    while True:
        yield await queue.get()
