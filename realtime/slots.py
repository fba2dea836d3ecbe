"""The slots of the streams that a worker holds: given back when they end, kept alive until then."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from django.db import DatabaseError, InterfaceError

from realtime.connections import with_connection
from realtime.quotas import RENEWAL, Quotas

logger = logging.getLogger(__name__)

_TOGETHER = 0.02
"""Seconds in which those who leave are given back together."""
_TIDY_EVERY = 60
"""Renewals."""


class Slots:
    """Belongs to one event loop. `quotas` may be asked from any thread."""

    def __init__(self) -> None:
        self.quotas = Quotas()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="realtime-slots")

    def hold(self, slot: int) -> Callable[[], None]:
        """Keeps a slot that `quotas` has given; answers what gives it back."""
        self.quotas.hold(slot)
        return partial(self._free, slot)

    async def keep(self) -> None:
        """Tells the database, for ever, what is freed and that this worker lives."""
        rounds = 0
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), RENEWAL)
                await asyncio.sleep(_TOGETHER)
            self._wake.clear()
            rounds += 1
            try:
                await self._run(self.quotas.tell)
                if rounds % _TIDY_EVERY == 0:
                    await self._run(self.quotas.tidy)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Streams can't be counted, trying again: %s", error)
                await asyncio.sleep(RENEWAL / 2)

    async def close(self) -> None:
        """Gives everything back."""
        with suppress(DatabaseError, InterfaceError):
            await self._run(self.quotas.leave)
        self._thread.shutdown()

    def _free(self, slot: int) -> None:
        self.quotas.free(slot)
        self._wake.set()

    async def _run(self, function: Callable[..., None], *args: object) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, with_connection, function, *args)
