"""The slots of the connections that a worker holds: taken many at once, given back at the end."""

import asyncio
import logging
from contextlib import suppress
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError

from realtime import log, sequencer
from realtime.bookkeeping.desk import Desk, woken
from realtime.events import EventId
from realtime.leases import RENEWAL
from realtime.quotas import About, Quotas, quota
from realtime.rights.grants import Grant, users
from realtime.subscriber import AnySubscriber

logger = logging.getLogger(__name__)

_TOGETHER = 0.02
"""Seconds in which those who leave are given back together."""
_AT_ONCE = 250
"""Slots that are taken in one transaction: others wait for its locks."""
_TIDY_EVERY = 60
"""Renewals."""


class Taken(NamedTuple):
    """A slot, and where the log was when the grant still held."""

    slot: int
    head: EventId


_Asked = tuple[Grant, About, "asyncio.Future[Taken | None]"]


class Slots:
    """Belongs to one event loop. `quotas` may be asked from any thread."""

    def __init__(self, desk: Desk) -> None:
        self.quotas = Quotas(desk.lease)
        self._desk = desk
        self._wake = asyncio.Event()
        self._touched: set[AnySubscriber] = set()
        self._asked: list[_Asked] = []
        self._taking: asyncio.Task[None] | None = None
        desk.keep_alive_for(lambda: bool(self.quotas))

    async def take(self, grant: Grant, about: About) -> Taken | None:
        """A slot for whoever has this grant, if it still holds and there is one; together with all
        others who ask at this time. Raises a database's error."""
        answer = asyncio.get_running_loop().create_future()
        self._asked.append((grant, about, answer))
        if self._taking is None:
            self._taking = asyncio.create_task(self._take())
        taken: Taken | None = await answer
        return taken

    async def _take(self) -> None:
        while self._asked:
            batch, self._asked = self._asked[:_AT_ONCE], self._asked[_AT_ONCE:]
            try:
                found = await self._desk.run(self._take_all, [asked[:2] for asked in batch])
            except Exception as error:
                for _, _, answer in batch:
                    # Who has given up meanwhile has no use for it.
                    if not answer.done():
                        answer.set_exception(error)
                continue
            for (_, _, answer), taken in zip(batch, found, strict=True):
                # A slot that nobody waits for any more is never held: that is noticed.
                if not answer.done():
                    answer.set_result(taken)
        self._taking = None

    def _take_all(self, asking: list[tuple[Grant, About]]) -> list[Taken | None]:
        """Asks the database."""
        # What is committed by now is numbered now: so the head is after every right that has ended.
        sequencer.advance()
        head = log.head()
        holding = users(grant for grant, _ in asking)
        asked = [(grant.owner, quota(grant), about) for grant, about in asking if grant in holding]
        slots = iter(self.quotas.take_all(asked))
        found = [next(slots) if grant in holding else None for grant, _ in asking]
        return [None if slot is None else Taken(slot, head) for slot in found]

    def hold(self, slot: int) -> None:
        """Keeps a slot that `quotas` has given."""
        self.quotas.hold(slot)

    def owner(self, slot: int) -> str:
        """Whose a slot is."""
        return self.quotas.owner(slot)

    @property
    def worker_id(self) -> str:
        """What other processes know this worker by."""
        return self._desk.lease.worker.pk

    def touch(self, subscriber: AnySubscriber) -> None:
        """Has it told, a moment later, which channels a connection has by then."""
        if subscriber.slot:
            self._touched.add(subscriber)
            self._wake.set()

    def give_back(self, slot: int) -> None:
        """Frees a slot, held or not."""
        self.quotas.free(slot)
        self._wake.set()

    async def keep(self) -> None:
        """Tells the database, for ever, what has come and gone."""
        rounds = 0
        while True:
            await woken(self._wake, _TOGETHER)
            rounds += 1
            self._describe_touched()
            try:
                await self._desk.run(self.quotas.tell)
                if rounds % _TIDY_EVERY == 0:
                    await self._desk.run(self.quotas.tidy)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Streams can't be counted, trying again: %s", error)
                await asyncio.sleep(RENEWAL / 2)

    def _describe_touched(self) -> None:
        touched, self._touched = self._touched, set()
        for one in touched:
            # Who has left has nothing to be told of: its slot is nobody's by now.
            self.quotas.describe(one.slot, About.of(one.transport, one.channels, one.grants))

    async def close(self) -> None:
        """Gives everything back."""
        with suppress(DatabaseError, InterfaceError):
            await self._desk.run(self.quotas.leave)
