"""Where a worker does its accounts: one thread, with a database connection and a lease."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from django.db import DatabaseError, InterfaceError

from realtime import leases
from realtime.database.connections import with_connection
from realtime.leases import LEASE, RENEWAL, Lease
from realtime.presence import membership

logger = logging.getLogger(__name__)

T = TypeVar("T")

_TIDY_EVERY = 60
"""Rounds."""


class Desk:
    """Belongs to one event loop. Keeps the lease while something is held under it, and clears away
    what workers that are lost have left."""

    def __init__(self) -> None:
        self.lease = Lease()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="realtime-desk")
        self._needs: list[Callable[[], bool]] = []
        self._clearings: list[Callable[[], Awaitable[None]]] = []
        self._due = time.monotonic()
        self._steady_since: float | None = None

    def keep_alive_for(self, need: Callable[[], bool]) -> None:
        """Keeps the lease alive while `need` answers True."""
        self._needs.append(need)

    def clear_by(self, clearing: Callable[[], Awaitable[None]]) -> None:
        """Has `clearing` called again and again while there are workers that are lost."""
        self._clearings.append(clearing)

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Calls a function that uses the database."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, with_connection, function, *args)

    async def keep(self) -> None:
        """Says, for ever, that this worker lives, and looks who does not."""
        rounds = 0
        while True:
            self._due = max(self._due + RENEWAL, time.monotonic())
            await asyncio.sleep(self._due - time.monotonic())
            rounds += 1
            try:
                await self._round(rounds % _TIDY_EVERY == 0)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The lease can't be renewed, trying again: %s", error)
                self._steady_since = None

    async def _round(self, tidy: bool) -> None:
        if any(need() for need in self._needs):
            await self.run(self.lease.renew)
        await self.run(self._declare_lost)
        if await self.run(leases.any_lost):
            for clear in self._clearings:
                await clear()
        if tidy:
            await self.run(membership.tidy)
            await self.run(leases.tidy)

    def _declare_lost(self) -> None:
        if self._is_steady() and (silent := leases.silent()) and self._is_steady():
            leases.declare_lost(silent)

    def _is_steady(self) -> bool:
        """Whether this worker has run, and the database has answered, for a whole lease, to this
        moment. Otherwise others may not have been heard of for the same reason: they must be given
        the time to be."""
        now = time.monotonic()
        if now > self._due + RENEWAL:
            self._steady_since = None
        elif self._steady_since is None:
            self._steady_since = now
        return self._steady_since is not None and now >= self._steady_since + LEASE.total_seconds()

    def close(self) -> None:
        """Ends the thread. The lease runs out by itself: until then, those who come back to
        another worker find that they have never been away."""
        self._thread.shutdown()


async def woken(wake: asyncio.Event, together: float) -> None:
    """Waits until there is something to do, and then as long as is done together; at most as long
    as a lease may go without renewal."""
    with suppress(TimeoutError):
        # Not `wait_for`, which swallows a cancellation that comes at the same time as the event.
        async with asyncio.timeout(RENEWAL):
            await wake.wait()
        await asyncio.sleep(together)
    wake.clear()
