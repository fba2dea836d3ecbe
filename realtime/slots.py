"""The slots of the connections that a worker holds: taken many at once, given back at the end."""

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
_AT_ONCE = 250
"""Slots that are taken in one transaction: others wait for its locks."""
_TIDY_EVERY = 60
"""Renewals."""

_Asked = tuple[tuple[str, int], "asyncio.Future[int | None]"]


class Slots:
    """Belongs to one event loop. `quotas` may be asked from any thread."""

    def __init__(self, desk: Desk) -> None:
        self.quotas = Quotas(desk.lease)
        self._desk = desk
        self._wake = asyncio.Event()
        self._asked: list[_Asked] = []
        self._taking: asyncio.Task[None] | None = None
        desk.keep_alive_for(lambda: bool(self.quotas))

    async def take(self, owner: str, quota: int) -> int | None:
        """As `quotas` does it, together with all others who ask at this time."""
        answer = asyncio.get_running_loop().create_future()
        self._asked.append(((owner, quota), answer))
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        slot: int | None = await answer
        return slot

    async def _take(self) -> None:
        try:
            while self._asked:
                batch, self._asked = self._asked[:_AT_ONCE], self._asked[_AT_ONCE:]
                try:
                    await self._take_together(batch)
                except BaseException as error:
                    _give_up([*batch, *self._asked], error)
                    self._asked = []
                    raise
        finally:
            self._taking = None

    async def _take_together(self, batch: list[_Asked]) -> None:
        slots = await self._desk.run(self.quotas.take_all, [asked for asked, _ in batch])
        for (_, answer), slot in zip(batch, slots, strict=True):
            # A slot that nobody waits for any more is never held: that is noticed.
            if not answer.done():
                answer.set_result(slot)

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


def _give_up(batch: list[_Asked], error: BaseException) -> None:
    for _, answer in batch:
        if not answer.done():
            answer.set_exception(error)
