"""The books of a worker: what it holds, as the database and the other workers know it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from django.db import DatabaseError, InterfaceError

from realtime import authorizations
from realtime.conf import pusher_app
from realtime.desk import Desk
from realtime.events import Event
from realtime.hub import Hub
from realtime.names import CONTROL
from realtime.presence import SIGNED
from realtime.roster import Roster
from realtime.slots import Slots
from realtime.subscriber import AnySubscriber
from realtime.tally import COUNT, Tally
from realtime.watchlists import Watchlists

logger = logging.getLogger(__name__)


class Books:
    """Belongs to one event loop."""

    def __init__(self) -> None:
        self._desk = Desk()
        self._tally: Tally | None = None
        self.slots = Slots(self._desk)
        self.roster = Roster(self._desk)
        self.watchlists = Watchlists(self._desk)

    def open(self, hub: Hub) -> list[Coroutine[Any, Any, None]]:
        """Begins to take down what happens at the hub; the jobs to run from now on."""
        hub.on_change(self._changed)
        jobs = [
            self._desk.keep(),
            self.slots.keep(),
            self.roster.keep(),
            self.watchlists.keep(),
            self._keep_authorizations(hub),
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

    def restart(self) -> None:
        """The log could not be continued: control events may be missing."""
        self.watchlists.restart()

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
            named = [subscriber.socket_id for subscriber in hub if subscriber.socket_id]
            try:
                await self._desk.run(authorizations.renew, named)
            except (DatabaseError, InterfaceError) as error:
                # They are remembered for much longer than until the next time.
                logger.warning("Authorizations can't be renewed: %s", error)

    def _changed(self, channel: str, subscriber: AnySubscriber, begins: bool) -> None:
        if self._tally:
            self._tally.touch(channel)
        self.slots.touch(subscriber)
        if not begins:
            # Whoever can't read a presence channel any more is no member either.
            self.roster.leave(channel, subscriber.socket_id)
