"""Who of those that somebody watches is online: signed in by a connection, on any worker.

What is known of a user has a version, whether it comes from the database or from the log; so it
does not matter which of the two comes first.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping

from django.db import DatabaseError, InterfaceError

from realtime.bookkeeping.desk import Desk
from realtime.events import Event
from realtime.leases import RENEWAL
from realtime.presence import membership
from realtime.presence.members import Status

logger = logging.getLogger(__name__)

Tell = Callable[[list[str], list[str]], None]
"""Is told the ids of users that are online, and of those that are offline."""


class _Watcher:
    """One connection's watchlist, and what it has been told."""

    def __init__(self, users: Collection[str], tell: Tell) -> None:
        self.users = frozenset(users)
        self._tell = tell
        self._known: dict[str, Status] = {}

    def learn(self, statuses: Mapping[str, Status]) -> None:
        """Tells what is new about those that are watched."""
        new: dict[str, bool] = {}
        for user_id in self.users & statuses.keys():
            known, status = self._known.get(user_id), statuses[user_id]
            if known is None or status.version > known.version:
                self._known[user_id] = status
                if known is None or known.online != status.online:
                    new[user_id] = status.online
        if new:
            self._tell(
                sorted(user_id for user_id in new if new[user_id]),
                sorted(user_id for user_id in new if not new[user_id]),
            )


class Watchlists:
    """Belongs to one event loop."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._watchers: dict[str, dict[_Watcher, None]] = defaultdict(dict)
        self._ignorant: dict[_Watcher, None] = {}
        self._wake = asyncio.Event()

    def watch(self, users: Collection[str], tell: Tell) -> Callable[[], None]:
        """Has `tell` called: soon with who of `users` is online and who is not, and then whenever
        that changes. Answers what ends it."""
        watcher = _Watcher(users, tell)
        for user_id in watcher.users:
            self._watchers[user_id][watcher] = None
        self._ask([watcher])
        return lambda: self._forget(watcher)

    def receive(self, event: Event) -> None:
        """Learns from a control event of type `presence.SIGNED`."""
        statuses = {user_id: Status(*status) for user_id, status in json.loads(event.data).items()}
        concerned: dict[_Watcher, None] = {}
        for user_id in statuses:
            concerned |= self._watchers.get(user_id, {})
        for watcher in concerned:
            watcher.learn(statuses)

    def restart(self) -> None:
        """Asks the database anew: the log could not be continued."""
        self._ask(watcher for watchers in self._watchers.values() for watcher in watchers)

    async def keep(self) -> None:
        """Asks the database, for ever, what those who begin to watch need to know."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            watchers, self._ignorant = self._ignorant, {}
            users = frozenset[str]().union(*(watcher.users for watcher in watchers))
            try:
                statuses = await self._desk.run(membership.statuses, users)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Who is online can't be asked, trying again: %s", error)
                self._ask(watchers)
                await asyncio.sleep(RENEWAL)
                continue
            for watcher in watchers:
                # Unless it has ended meanwhile.
                if any(watcher in self._watchers.get(user, ()) for user in watcher.users):
                    watcher.learn(statuses)

    def _ask(self, watchers: Iterable[_Watcher]) -> None:
        self._ignorant |= dict.fromkeys(watchers)
        self._wake.set()

    def _forget(self, watcher: _Watcher) -> None:
        self._ignorant.pop(watcher, None)
        for user_id in watcher.users:
            watchers = self._watchers.get(user_id, {})
            watchers.pop(watcher, None)
            if not watchers:
                self._watchers.pop(user_id, None)
