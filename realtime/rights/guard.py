"""The guard: connections stay open only while it is known that their rights hold.

A right ends by its grounds (logout, token, user), which are asked for every few seconds, or by an
event that puts it in doubt: then it is asked again at once. What nothing tells of is found by
asking again now and then. Where the database does not answer, nobody hears anything on old grounds.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain, islice
from typing import Any

from realtime.conf import settings
from realtime.database.chunks import chunked
from realtime.database.connections import with_connection
from realtime.events import Event, EventId
from realtime.hub import Hub
from realtime.remembered import Memory
from realtime.rights import revocation
from realtime.subscriber import AnySubscriber

logger = logging.getLogger(__name__)

GROUNDS_INTERVAL = 2.0
"""Seconds between two checks of the grounds of all connections: these end within 5."""
_SURE = 4.5
"""Seconds for which grounds that were found to hold are good."""
_PATIENCE = 2.0
"""Seconds for which a right may be in doubt: then the connection is sent away, to ask anew."""
_AT_ONCE = 100
"""Connections whose rights are asked for together."""


class Guard:
    """Belongs to one event loop. `threads` are for asking the database; `resumed` is called when
    connections may be told again what they have missed while the grounds were unknown, `lost` with
    a grant and channels that its user may not read any more."""

    def __init__(
        self,
        hub: Hub,
        threads: Executor,
        resumed: Callable[[], None],
        lost: Callable[[Any, Collection[str]], None],
    ) -> None:
        self.memory = Memory()
        self._hub = hub
        self._threads = threads
        self._resumed = resumed
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._sure_at = self._loop.time()
        self._hurry = asyncio.Event()
        self._doubted: dict[AnySubscriber, float] = {}
        """Since when they are."""
        self._doubt = asyncio.Event()
        self._asked: list[frozenset[AnySubscriber]] = []

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """What is to run from now on."""
        return [self._check_grounds(), self._check_doubted(), self._check_everything()]

    def is_sure(self) -> bool:
        """Whether connections may be told anything; if not, what holds is asked for at once."""
        if not len(self._hub) or self._loop.time() <= self._sure_at + _SURE:
            return True
        self._hurry.set()
        return False

    def hasten(self) -> None:
        """Has all grounds checked at once: some are known to have ended."""
        self._hurry.set()

    def expel(self, subscriber: AnySubscriber) -> None:
        """Ends a connection as one that has lost all of its rights."""
        channels = sorted(subscriber.channels)
        self.memory.forget_grants(subscriber.grants)
        self._hub.drop(subscriber, channels)
        subscriber.ending = subscriber.ending or "revoked"
        if channels:
            subscriber.forbid(channels)
        if not subscriber.ended:
            subscriber.expel()

    def heed(self, dispatched: Iterable[Event]) -> None:
        """Doubts the rights that these events may have ended."""
        for channel in revocation.doubtful(dispatched, self._hub.channels):
            self._suspect(self._hub.subscribed(channel))
        self.memory.forget_channels(revocation.doubtful(dispatched, self.memory.channels))

    def welcome(self, subscriber: AnySubscriber, checked: EventId) -> None:
        """Doubts the rights of a subscriber that was just attached, if an event since `checked` may
        have ended them: it was not attached then, so nobody thought of it."""
        events = self._hub.since(checked)
        if events is None or revocation.doubtful(events, subscriber.channels.keys()):
            self._suspect([subscriber])

    def doubts(self, subscriber: AnySubscriber) -> bool:
        """Whether it is being asked if the subscriber still has its rights."""
        return subscriber in self._doubted or any(subscriber in asked for asked in self._asked)

    # Grounds

    async def _check_grounds(self) -> None:
        due = self._loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due + GROUNDS_INTERVAL):
                    await self._hurry.wait()
            due = self._loop.time()
            grants = self._hub.grants | self.memory.grants
            ended = await self._ask(revocation.ungrounded, grants)
            if ended is None:
                self.memory.clear()
                await asyncio.sleep(settings.TICK)
                continue
            self._end(ended)
            self._sure_at = due
            if self._hurry.is_set():
                self._hurry.clear()
                self._resumed()

    def _end(self, grants: Iterable[Any]) -> None:
        ended = set(grants)
        self.memory.forget_grants(ended)
        for subscriber in self._hub if ended else ():
            for grant in subscriber.grants & ended:
                self._forbid(subscriber, grant, subscriber.on_grant(grant))
                subscriber.revoke(grant)

    # Rights

    def _suspect(self, subscribers: Iterable[AnySubscriber]) -> None:
        now = self._loop.time()
        for subscriber in subscribers:
            self._doubted.setdefault(subscriber, now)
        self._doubt.set()

    async def _check_doubted(self) -> None:
        while True:
            await self._doubt.wait()
            # In one step with the check's beginning: no moment in which they are not in doubt.
            some = dict(islice(self._doubted.items(), _AT_ONCE))
            for subscriber in some:
                del self._doubted[subscriber]
            if not self._doubted:
                self._doubt.clear()
            if not await self._check(list(some), _PATIENCE):
                self._doubt_still(some)
                await asyncio.sleep(settings.TICK)

    def _doubt_still(self, doubted: dict[AnySubscriber, float]) -> None:
        for subscriber, since in doubted.items():
            if self._loop.time() > since + _PATIENCE:
                subscriber.retire("undecided")
            else:
                self._doubted[subscriber] = min(since, self._doubted.get(subscriber, since))
                self._doubt.set()

    async def _check_everything(self) -> None:
        while True:
            await asyncio.sleep(settings.RECHECK_INTERVAL)
            self.memory.clear()
            everybody = self._hub.subscribers
            with self._asking_about(everybody):
                for some in chunked(_alike_together(everybody), _AT_ONCE):
                    await self._check(some)

    async def _check(self, subscribers: list[AnySubscriber], patience: float | None = None) -> bool:
        """Takes subscribers off the channels that they have lost; False if nobody knows."""
        resting = [
            (subscriber, grant, channels)
            for subscriber in subscribers
            for grant in subscriber.grants
            if (channels := subscriber.on_grant(grant))
        ]
        with self._asking_about(subscribers):
            lost = await self._ask(revocation.lost, [held[1:] for held in resting], patience)
        if lost is None:
            return False
        for (subscriber, grant, _), channels in zip(resting, lost, strict=True):
            self._forbid(subscriber, grant, channels)
            if channels:
                self._lost(grant, channels)
        return True

    @contextmanager
    def _asking_about(self, subscribers: Iterable[AnySubscriber]) -> Iterator[None]:
        asked = frozenset(subscribers)
        self._asked.append(asked)
        try:
            yield
        finally:
            self._asked.remove(asked)

    def _forbid(self, subscriber: AnySubscriber, grant: Any, channels: frozenset[str]) -> None:
        # What rested on this grant when it was asked may rest on another one by now, or on nothing.
        gone = channels & subscriber.on_grant(grant)
        self.memory.forget_channels(gone)
        if gone and not subscriber.ended:
            self._hub.drop(subscriber, gone)
            subscriber.forbid(sorted(gone))

    async def _ask(
        self, function: Callable[[Any], Any], argument: Any, patience: float | None = None
    ) -> Any:
        """The function's answer, or None if it could not be had (in time)."""
        if not argument:
            return ()
        call = partial(with_connection, function, argument)
        try:
            async with asyncio.timeout(patience):
                return await self._loop.run_in_executor(self._threads, call)
        except TimeoutError:
            logger.warning("The database does not say who has which right")
        except Exception:
            # One faulty rule, or a database that is away, must not end the checks of all others.
            logger.exception("Rights could not be checked")
        return None


def _alike_together(subscribers: Iterable[AnySubscriber]) -> list[AnySubscriber]:
    """Those with the same grants one after the other, so that most is asked only once."""
    found: dict[frozenset[Any], list[AnySubscriber]] = {}
    for subscriber in subscribers:
        found.setdefault(frozenset(subscriber.grants), []).append(subscriber)
    return list(chain.from_iterable(found.values()))
