"""The broker of a single process."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from realtime import meters
from realtime.brokers.base import Broker
from realtime.conf import settings
from realtime.events import Batch

Queue = asyncio.Queue[Batch]

_LOGGED = meters.PUBLISHED.slot("logged")
_EPHEMERAL = meters.PUBLISHED.slot("ephemeral")


class MemoryBroker(Broker):
    """Hands batches from any thread to the event loops that listen in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[Queue, asyncio.AbstractEventLoop] = {}

    def publish(self, batch: Batch) -> None:
        meters.count(_EPHEMERAL if batch.after is None else _LOGGED, len(batch.events))
        with self._lock:
            listeners = list(self._listeners.items())
        for queue, loop in listeners:
            # A loop that was closed without leaving its context listens no more.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, batch)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[Batch]]:
        with self._listening() as inbox:
            yield batches_from(inbox)

    @contextmanager
    def _listening(self) -> Iterator[Queue]:
        inbox: Queue = asyncio.Queue()
        with self._lock:
            self._listeners[inbox] = asyncio.get_running_loop()
        try:
            yield inbox
        finally:
            with self._lock:
                del self._listeners[inbox]

    def describe(self) -> str:
        return f"none; what other processes change is found within {settings.TICK:g} s"


async def batches_from(inbox: Queue) -> AsyncIterator[Batch]:
    """What comes into an inbox, for ever."""
    while True:
        yield await inbox.get()
