"""Where a worker does its accounts: one thread, with a database connection and a lease."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import DatabaseError, InterfaceError

from realtime import leases, presence
from realtime.connections import with_connection
from realtime.leases import LEASE, RENEWAL, Lease

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
        loop = asyncio.get_running_loop()
        rounds, due = 0, loop.time()
        while True:
            due += RENEWAL
            await asyncio.sleep(due - loop.time())
            if loop.time() > due + RENEWAL:
                self._steady_since, due = None, loop.time()
            rounds += 1
            try:
                await self._round(rounds % _TIDY_EVERY == 0)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("The lease can't be renewed, trying again: %s", error)
                self._steady_since = None

    async def _round(self, tidy: bool) -> None:
        if any(need() for need in self._needs):
            await self.run(self.lease.renew)
        if self._is_steady():
            await self.run(leases.declare_lost)
        if await self.run(leases.any_lost):
            for clear in self._clearings:
                await clear()
        if tidy:
            await self.run(presence.tidy)
            await self.run(leases.tidy)

    def _is_steady(self) -> bool:
        """Whether this worker has run, and the database has answered, for a whole lease. Otherwise
        others may not have been heard of for the same reason, and must be given the time to be."""
        now = asyncio.get_running_loop().time()
        if self._steady_since is None:
            self._steady_since = now
        return now >= self._steady_since + LEASE.total_seconds()

    def close(self) -> None:
        """Ends the thread. The lease runs out by itself: until then, those who come back to
        another worker find that they have never been away."""
        self._thread.shutdown()
