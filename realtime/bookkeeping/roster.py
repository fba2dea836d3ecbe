"""The members whose connections a worker holds: what of them the database has yet to be told.

What is wanted is kept here, by channel and connection, and told in batches until it is done; a
batch may be told twice. So a database that is away loses nobody, and who joins and leaves before
anybody was told has never been there.
"""

import asyncio
import logging

from django.db import DatabaseError, InterfaceError

from realtime.bookkeeping.desk import Desk, woken
from realtime.conf import settings
from realtime.events import dumps
from realtime.exceptions import InvalidEvent, InvalidMember, PresenceFull
from realtime.leases import LEASE, RENEWAL
from realtime.names import check_name
from realtime.presence import membership
from realtime.presence.members import Arrival, Change, Outcome, Snapshot
from realtime.presence.membership import SIGNED_IN

logger = logging.getLogger(__name__)

MAX_USER_ID = 128
"""Characters, as in Pusher."""

_TOGETHER = 0.01
"""Seconds in which those who come and go are told together."""
_BATCH = 500
"""Connections told by one transaction."""
_CHANNELS = 100
"""Channels locked by one transaction."""

_Key = tuple[str, str]
"""Channel and socket id."""


class Roster:
    """Belongs to one event loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._term = desk.lease.term
        self._held: dict[_Key, Arrival] = {}
        self._untold: dict[_Key, Arrival | None] = {}
        self._joining: dict[_Key, asyncio.Future[Snapshot]] = {}
        self._wake = asyncio.Event()
        self._draining = False
        desk.keep_alive_for(lambda: bool(self._held))
        desk.clear_by(lambda: desk.run(membership.clear))

    async def join(self, channel: str, socket_id: str, user_id: str, info: object) -> Snapshot:
        """Makes a connection a member of a channel; the members, from which on the channel's events
        of a higher version tell what changes.

        `info` is any JSON-able value; the information that the user's other connections have
        brought stays. Returns when the database has it, however long that is away; also if `leave`
        is called meanwhile, and then without it. Raises `PresenceFull`, or `InvalidMember`, or
        `InvalidChannel`.
        """
        arrival = Arrival(_user_id(user_id), _info(info))
        key = check_name(channel), socket_id
        self._want(key, arrival)
        told = self._joining.get(key)
        if told is None:
            told = self._joining[key] = asyncio.get_running_loop().create_future()
        try:
            # Shielded: somebody else may wait for it too.
            return await asyncio.shield(told)
        except asyncio.CancelledError:
            self.leave(channel, socket_id)
            raise

    def leave(self, channel: str, socket_id: str) -> None:
        """Ends a connection's membership, if there is one. The database will be told, sooner or
        later."""
        key = channel, socket_id
        if key not in self._held:
            return
        if self._draining:
            # Who comes back to another worker at once has never been away.
            delay = LEASE.total_seconds()
            asyncio.get_running_loop().call_later(delay, self._leave, key)
        else:
            self._leave(key)

    def sign_in(self, socket_id: str, user_id: str) -> None:
        """A connection is now one of this user's. Raises `InvalidMember`."""
        arrival = Arrival(_user_id(user_id), "null")
        self._want((SIGNED_IN + user_id, socket_id), arrival)

    def sign_out(self, socket_id: str, user_id: str) -> None:
        """A connection is none of this user's any more."""
        self.leave(SIGNED_IN + user_id, socket_id)

    def drain(self) -> None:
        """From now on, connections end because this worker does: their members stay as long as if
        it had died."""
        self._draining = True

    async def keep(self) -> None:
        """Tells the database, for ever, who comes and goes."""
        while True:
            await woken(self._wake, _TOGETHER)
            try:
                if self._term != self._desk.lease.term:
                    self._tell_again()
                while self._untold:
                    await self._tell()
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Members can't be told of, trying again: %s", error)
                await asyncio.sleep(RENEWAL)

    def _want(self, key: _Key, arrival: Arrival) -> None:
        self._held[key] = self._untold[key] = arrival
        self._wake.set()

    def _leave(self, key: _Key) -> None:
        if self._held.pop(key, None) is not None:
            self._untold[key] = None
            self._wake.set()

    def _tell_again(self) -> None:
        """Others may have taken this worker for lost, and removed its members."""
        self._term = self._desk.lease.term
        self._untold = {**self._held, **self._untold}

    async def _tell(self) -> None:
        batch = self._take()
        changes: dict[str, Change] = {}
        for (channel, socket_id), arrival in batch.items():
            change = changes.setdefault(channel, Change())
            if arrival is None:
                change.leavers.add(socket_id)
            else:
                change.arrivals[socket_id] = arrival
        outcomes: dict[str, Outcome] = {}
        try:
            outcomes = await self._desk.run(membership.apply, self._desk.lease, changes)
        finally:
            for key, arrival in batch.items():
                if key[0] in outcomes:
                    self._settle(key, arrival, outcomes[key[0]])
                else:
                    self._untold.setdefault(key, arrival)

    def _take(self) -> dict[_Key, Arrival | None]:
        """The next batch."""
        batch: dict[_Key, Arrival | None] = {}
        channels: set[str] = set()
        for key, arrival in self._untold.items():
            if key[0] not in channels and len(channels) == _CHANNELS:
                continue
            channels.add(key[0])
            batch[key] = arrival
            if len(batch) == _BATCH:
                break
        for key in batch:
            del self._untold[key]
        return batch

    def _settle(self, key: _Key, arrival: Arrival | None, outcome: Outcome) -> None:
        """The database has this; what has been wanted since then is told in its turn."""
        current = self._held.get(key)
        refused = key[1] in outcome.refused
        if current is not None and current is arrival:
            if refused:
                del self._held[key]
            else:
                self._held[key] = current._replace(known=True)
        if key in self._untold and self._untold[key] is not None:
            # It has left and joins anew, with an answer to come.
            return
        told = self._joining.pop(key, None)
        if told is None:
            return
        if refused:
            # Retrieved, though whoever wanted to join may be gone.
            told.add_done_callback(asyncio.Future.exception)
            told.set_exception(PresenceFull("The channel has as many members as it may have."))
        else:
            told.set_result(outcome.snapshot)


def _user_id(user_id: object) -> str:
    if not isinstance(user_id, str) or not 0 < len(user_id) <= MAX_USER_ID:
        raise InvalidMember(f"A member's id is a text of 1 to {MAX_USER_ID} characters.")
    if "\x00" in user_id or not _is_utf8(user_id):
        raise InvalidMember("A member's id has characters that no text has.")
    return user_id


def _info(info: object) -> str:
    try:
        text = dumps(info)
    except InvalidEvent as error:
        raise InvalidMember(str(error)) from error
    if len(text.encode()) > settings.MAX_MEMBER_INFO:
        raise InvalidMember(
            f"A member's information is at most {settings.MAX_MEMBER_INFO} bytes of JSON."
        )
    return text


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
