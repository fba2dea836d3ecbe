"""The subscriptions that a worker holds: tells the database how many there are of each channel.

Nothing is done for each subscription but to note its channel; what there is of it is told a moment
later, in batches. Whatever that changes of the totals is announced: to webhooks, and to the
channel's subscribers on all workers.
"""

import asyncio
import json
import logging
from collections.abc import Mapping

from django.db import DatabaseError, InterfaceError

from realtime import occupancy, sequencer, webhooks
from realtime.bookkeeping.desk import Desk, woken
from realtime.events import Batch, Event, dumps
from realtime.hub import Hub
from realtime.leases import RENEWAL
from realtime.names import CONTROL, is_presence
from realtime.occupancy import Total

logger = logging.getLogger(__name__)

COUNT = "count"
"""Type of the ephemeral control event by which workers tell each other a channel's total."""

SHOWN = "pusher_internal:subscription_count"
"""What Pusher's clients are told a total by."""

_BATCH = 100
"""Channels counted by one transaction."""
_TOGETHER = 0.1
"""Seconds in which changes are gathered."""
_FEW = 100
"""As in Pusher: up to here, each change of a total is announced;"""
_BIG_EVERY = 5.0
"""above, what it is after so many seconds."""


class Tally:
    """Belongs to one event loop."""

    def __init__(self, desk: Desk, hub: Hub) -> None:
        self._desk = desk
        self._hub = hub
        self._term = desk.lease.term
        self._told: set[str] = set()
        self._changed: set[str] = set()
        self._big: set[str] = set()
        self._shown: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._draining = False
        desk.keep_alive_for(lambda: bool(self._told))
        desk.clear_by(self._clear)

    def touch(self, channel: str) -> None:
        """Notes that there may be more or fewer subscriptions to a channel."""
        # A user's own channel is nobody else's business.
        if not self._draining and not channel.startswith("#"):
            self._changed.add(channel)
            self._wake.set()

    def drain(self) -> None:
        """From now on, connections end because this worker does: they count as long as if it had
        died, while they come back to others."""
        self._draining = True

    async def keep(self) -> None:
        """Tells the database, for ever, what has changed."""
        loop = asyncio.get_running_loop()
        due = loop.time() + _BIG_EVERY
        while True:
            await woken(self._wake, _TOGETHER)
            try:
                await self._tell()
                if self._big and loop.time() >= due:
                    due = loop.time() + _BIG_EVERY
                    await self._tell_big()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Subscriptions can't be counted, trying again: %s", error)
                await asyncio.sleep(RENEWAL)

    def receive(self, event: Event) -> None:
        """Shows a total to the channel's subscribers, unless they know a later one."""
        told = json.loads(event.data)
        channel, at = str(told["channel"]), float(told["at"])
        subscribers = self._hub.subscribed(channel)
        if not subscribers:
            self._shown.pop(channel, None)
        elif at > self._shown.get(channel, 0.0):
            self._shown[channel] = at
            count = Event(channel, SHOWN, dumps({"subscription_count": told["count"]}))
            for subscriber in subscribers:
                # Only connections of Pusher's clients have a name.
                if subscriber.socket_id:
                    subscriber.deliver(count)

    async def _tell(self) -> None:
        if self._term != self._desk.lease.term:
            # Others may have taken this worker for lost, and its counts away.
            self._term = self._desk.lease.term
            self._changed |= self._told
        while self._changed:
            changed = {self._changed.pop() for _ in range(min(_BATCH, len(self._changed)))}
            held = {name: self._count_here(name) for name in changed}
            try:
                totals = await self._desk.run(occupancy.write, self._desk.lease, held)
            except BaseException:
                self._changed |= changed
                raise
            self._told = (self._told - changed) | {name for name in held if held[name]}
            await self._announce(totals)
            await self._show({name for name in held if held[name] and name not in totals})

    def _count_here(self, channel: str) -> int:
        return sum(subscriber.lasts for subscriber in self._hub.subscribed(channel))

    async def _show(self, channels: set[str]) -> None:
        """Shows totals that have not changed here: who has just come does not know them."""
        unchanged = {name for name in channels if not is_presence(name)}
        if unchanged:
            totals = await self._desk.run(occupancy.totals, unchanged)
            for name, total in totals.items():
                self.receive(_count(name, total))

    async def _tell_big(self) -> None:
        big, self._big = self._big, set()
        await self._publish(await self._desk.run(occupancy.totals, big))

    async def _clear(self) -> None:
        await self._announce(await self._desk.run(occupancy.clear))

    async def _announce(self, totals: Mapping[str, Total]) -> None:
        for name, total in totals.items():
            if not total.before:
                webhooks.notify("channel_occupied", channel=name)
            if not total.after:
                webhooks.notify("channel_vacated", channel=name)
        counted = {name: total for name, total in totals.items() if not is_presence(name)}
        few = {name: total for name, total in counted.items() if total.after <= _FEW}
        self._big |= counted.keys() - few.keys()
        await self._publish(few)

    async def _publish(self, totals: Mapping[str, Total]) -> None:
        events = []
        for name, total in totals.items():
            webhooks.notify("subscription_count", channel=name, subscription_count=total.after)
            events.append(_count(name, total))
        if events:
            await self._desk.run(sequencer.broker().publish, Batch(tuple(events)))


def _count(channel: str, total: Total) -> Event:
    data = {"channel": channel, "count": total.after, "at": total.at}
    return Event(CONTROL, COUNT, dumps(data))
