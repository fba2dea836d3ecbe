"""The books of a worker: what it holds, as the database and the other workers know it."""

import asyncio
import logging
from collections.abc import Collection, Coroutine
from typing import Any

from django.db import DatabaseError, InterfaceError

from realtime.bookkeeping.attendance import Attendance
from realtime.bookkeeping.desk import Desk
from realtime.bookkeeping.roster import Roster
from realtime.bookkeeping.slots import Slots
from realtime.bookkeeping.tally import COUNT, Tally
from realtime.bookkeeping.watchlists import Watchlists
from realtime.conf import pusher_app
from realtime.editing import marks
from realtime.events import Event
from realtime.hub import Hub, jittered
from realtime.leases import RENEWAL
from realtime.names import CONTROL
from realtime.presence.membership import SIGNED
from realtime.rights import authorizations
from realtime.subscriber import AnySubscriber

logger = logging.getLogger(__name__)


class Books:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._desk = Desk()
        self._tally: Tally | None = None
        self.slots = Slots(self._desk)
        self.roster = Roster(self._desk)
        self.watchlists = Watchlists(self._desk)
        self._attendance = Attendance(self._desk, self.roster)
        self._lost: dict[str, set[str]] = {}
        """Channels that users may not read any more, by the users' ids."""

    def open(self, hub: Hub) -> list[Coroutine[Any, Any, None]]:
        """Begins to take down what happens at the hub; the jobs to run from now on."""
        hub.on_change(self._changed)
        jobs = [
            self._desk.keep(),
            self.slots.keep(),
            self.roster.keep(),
            self.watchlists.keep(),
            self._keep_authorizations(hub),
            self._end_editing(),
        ]
        if pusher_app() is not None:
            self._tally = Tally(self._desk, hub)
            jobs.append(self._tally.keep())
        return jobs

    def receive(self, event: Event) -> None:
        """Takes in what workers tell each other of their books, by control events."""
        if event.channel != CONTROL:
            return
        if event.type == SIGNED:
            self.watchlists.receive(event)
        elif event.type == COUNT and self._tally:
            self._tally.receive(event)

    def lose(self, grant: Any, channels: Collection[str]) -> None:
        """The user of a grant may not read these channels any more."""
        if grant.user is not None:
            self._lost.setdefault(str(grant.user), set()).update(channels)

    def restart(self) -> None:
        """The log could not be continued: events may be missing."""
        self.watchlists.restart()
        self._attendance.restart()

    def drain(self) -> None:
        """From now on, connections end because this worker does."""
        self.roster.drain()
        if self._tally:
            self._tally.drain()

    async def close(self) -> None:
        """Leaves everything to the others; call it once the jobs have ended."""
        await self.slots.close()
        self._desk.close()

    async def _keep_authorizations(self, hub: Hub) -> None:
        """Has the signatures of open connections remembered for as long as these last."""
        while True:
            await asyncio.sleep(authorizations.RENEWAL)
            named = [subscriber.socket_id for subscriber in hub.subscribers if subscriber.socket_id]
            try:
                await self._desk.run(authorizations.renew, named)
            except (DatabaseError, InterfaceError) as error:
                # They are remembered for much longer than until the next time.
                logger.warning("Authorizations can't be renewed: %s", error)

    async def _end_editing(self) -> None:
        """Ends the marks of those who don't say any more that they are editing, or may not."""
        while True:
            await asyncio.sleep(jittered(RENEWAL))
            lost, self._lost = self._lost, {}
            try:
                if lost:
                    await self._desk.run(marks.leave, lost)
                await self._desk.run(marks.sweep)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Who is editing can't be looked at, trying again: %s", error)

    def _changed(self, channel: str, subscriber: AnySubscriber, begins: bool) -> None:
        if self._tally and subscriber.lasts:
            self._tally.touch(channel)
        self.slots.touch(subscriber)
        if begins:
            self._attendance.begin(channel, subscriber)
        else:
            # Whoever can't read a presence channel any more is no member either.
            self._attendance.end(channel, subscriber)
            self.roster.leave(channel, subscriber.socket_id)
