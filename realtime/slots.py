"""The slots of the streams that a worker holds: given back when they end."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from django.db import DatabaseError, InterfaceError

from realtime.desk import Desk, woken
from realtime.leases import RENEWAL
from realtime.quotas import Quotas

logger = logging.getLogger(__name__)

_TOGETHER = 0.02
"""Seconds in which those who leave are given back together."""
_TIDY_EVERY = 60
"""Renewals."""


class Slots:
    """Belongs to one event loop. `quotas` may be asked from any thread."""

    def __init__(self, desk: Desk) -> None:
        self.quotas = Quotas(desk.lease)
        self._desk = desk
        self._wake = asyncio.Event()
        desk.keep_alive_for(lambda: bool(self.quotas))

    def hold(self, slot: int) -> Callable[[], None]:
        """Keeps a slot that `quotas` has given; answers what gives it back."""
        self.quotas.hold(slot)
        return partial(self._free, slot)

    async def keep(self) -> None:
        """Tells the database, for ever, what has come and gone."""
        rounds = 0
        while True:
            await woken(self._wake, _TOGETHER)
            rounds += 1
            try:
                await self._desk.run(self.quotas.tell)
                if rounds % _TIDY_EVERY == 0:
                    await self._desk.run(self.quotas.tidy)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Streams can't be counted, trying again: %s", error)
                await asyncio.sleep(RENEWAL / 2)

    async def close(self) -> None:
        """Gives everything back."""
        with suppress(DatabaseError, InterfaceError):
            await self._desk.run(self.quotas.leave)

    def _free(self, slot: int) -> None:
        self.quotas.free(slot)
        self._wake.set()
