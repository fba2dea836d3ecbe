"""Who listens to a presence channel by a stream is a member of it, and is shown the others.

A WebSocket joins before it subscribes, and waits for that. A stream has other channels too, whose
events must not wait: so it joins once it is live, and is shown the members when the database has
it. What it was told of them by then is worked into what it is shown.
"""

import asyncio
import logging
import secrets
from typing import Any, NamedTuple

from django.db import DatabaseError, InterfaceError

from realtime.bookkeeping.desk import Desk
from realtime.bookkeeping.roster import Roster
from realtime.events import Event
from realtime.exceptions import InvalidMember, PresenceFull
from realtime.leases import RENEWAL
from realtime.names import is_presence
from realtime.presence import membership
from realtime.presence.members import Snapshot, version
from realtime.sse import encode
from realtime.subscriber import AnySubscriber, Subscriber

logger = logging.getLogger(__name__)


class Attendee(NamedTuple):
    """Whom a stream makes a member."""

    user_id: str
    info: Any


class Attending(Subscriber[bytes]):
    """A stream that makes its user a member of its presence channels."""

    __slots__ = ("_known", "attendee", "name")

    def __init__(self, *, limit: int = 256 * 1024, attendee: Attendee) -> None:
        super().__init__(limit=limit)
        self.attendee = attendee
        self.name = secrets.token_hex(16)
        """What the roster knows it by. No socket id: only connections of Pusher's clients have."""
        self._known: dict[str, int | list[Event]] = {}
        """By channel the version that was shown, or what has been told until something is."""

    encode = staticmethod(encode)

    def expect(self, channel: str) -> None:
        """From now on, keeps what it is told of a channel's members, until it is shown these."""
        self._known[channel] = []

    def forget(self, channel: str) -> None:
        """The channel's members are none of its business any more."""
        self._known.pop(channel, None)

    def show(self, channel: str, snapshot: Snapshot) -> None:
        """Shows the members; from here on, only what changes after that is told."""
        told = self._known.get(channel, ())
        if not isinstance(told, int):
            snapshot = snapshot.after(told)
        self._known[channel] = snapshot.version
        self.write(encode(snapshot.listed(channel)))

    def wants(self, event: Event) -> bool:
        """Whether an event does not tell of what was shown already."""
        known = self._known.get(event.channel)
        if known is not None and (number := version(event)) is not None:
            if not isinstance(known, int):
                known.append(event)
            elif number <= known:
                return False
        return super().wants(event)


class Attendance:
    """The streams of a worker that are members. Belongs to one event loop."""

    def __init__(self, desk: Desk, roster: Roster) -> None:
        self._desk = desk
        self._roster = roster
        self._present: dict[tuple[str, Attending], asyncio.Task[None]] = {}
        """With what shows them the members, or has done so."""
        self._joining: set[asyncio.Task[None]] = set()

    def begin(self, channel: str, stream: AnySubscriber) -> None:
        """Takes note of a subscription, which may be to any channel and by any connection."""
        if isinstance(stream, Attending) and is_presence(channel):
            self._join(channel, stream)

    def end(self, channel: str, stream: AnySubscriber) -> None:
        """Takes note of its end."""
        if isinstance(stream, Attending) and (channel, stream) in self._present:
            del self._present[channel, stream]
            stream.forget(channel)
            self._roster.leave(channel, stream.name)

    def restart(self) -> None:
        """The log could not be continued: shows all members anew."""
        for channel, stream in list(self._present):
            self._join(channel, stream)

    def _join(self, channel: str, stream: Attending) -> None:
        stream.expect(channel)
        joining = asyncio.get_running_loop().create_task(self._show(channel, stream))
        self._present[channel, stream] = joining
        self._joining.add(joining)
        joining.add_done_callback(self._joining.discard)

    async def _show(self, channel: str, stream: Attending) -> None:
        if not self._is_wanted(channel, stream):
            return
        try:
            # No gap before it is wanted: a subscription that ends from here on ends that, too.
            snapshot = await self._roster.join(channel, stream.name, *stream.attendee)
        except PresenceFull:
            snapshot = await self._read(channel)
        except InvalidMember as error:
            logger.warning("A stream on %s only watches: %s", channel, error)
            snapshot = await self._read(channel)
        if self._is_wanted(channel, stream):
            stream.show(channel, snapshot)

    def _is_wanted(self, channel: str, stream: Attending) -> bool:
        """Whether the task that asks is still the one that shows this stream the members."""
        return self._present.get((channel, stream)) is asyncio.current_task()

    async def _read(self, channel: str) -> Snapshot:
        while True:
            try:
                return await self._desk.run(membership.snapshot, channel)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Members can't be read, trying again: %s", error)
                await asyncio.sleep(RENEWAL)
