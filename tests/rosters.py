"""Workers as presence sees them, several in this process: each is a thread with an event loop, and
a lease of its own. They may be killed and frozen."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from realtime import leases, log
from realtime.bookkeeping import desk, roster, slots, tally
from realtime.bookkeeping.books import Books
from realtime.events import Event, EventId
from realtime.hub import Hub
from realtime.presence.members import Snapshot
from realtime.subscriber import Subscriber, Subscription
from tests.ports import wait_until

QUICK = 0.2
"""Seconds between two renewals, here; a lease is three of them, as it is in earnest."""


class Named(Subscriber[bytes]):
    """A WebSocket that keeps the events it gets."""

    def __init__(self, socket_id: str) -> None:
        super().__init__(socket_id=socket_id)
        self.events: list[Event] = []

    def encode(self, event: Event) -> bytes:
        self.events.append(event)
        return b""

    def forbid(self, channels: list[str]) -> None: ...
    def reset(self, position: EventId, reason: str) -> None: ...
    def keep_alive(self, position: EventId | None) -> None: ...
    def retire(self) -> None: ...


class Site:
    """A worker's books."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.jobs: list[asyncio.Task[None]] = []
        self._thawed = threading.Event()
        self._frozen = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.call(self._open)

    def _run(self) -> None:
        self.loop.run_forever()
        self.loop.run_until_complete(asyncio.gather(*self.jobs, return_exceptions=True))
        self.loop.run_until_complete(self.books._desk.run(connections.close_all))
        self.books._desk.close()
        self.loop.close()

    async def _open(self) -> None:
        self.books = Books()
        self.roster = self.books.roster
        position = await self.books._desk.run(log.head)
        self.hub = Hub(position)
        self.jobs = [self.loop.create_task(job) for job in self.books.open(self.hub)]

    @property
    def worker(self) -> str:
        """The id of its row."""
        return self.books._desk.lease.worker.pk

    def start(self, job: Coroutine[Any, Any, Any]) -> "Future[Any]":
        """Runs a coroutine on its loop."""
        return asyncio.run_coroutine_threadsafe(job, self.loop)

    def call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a function, or a coroutine function, on its loop; the answer."""

        async def called() -> Any:
            answer = function(*args)
            return await answer if asyncio.iscoroutine(answer) else answer

        return self.start(called()).result(20)

    def join(self, channel: str, socket_id: str, user_id: str, info: Any = None) -> Snapshot:
        """Waits until it is told."""
        return self.call(self.roster.join, channel, socket_id, user_id, info)

    def leave(self, channel: str, socket_id: str) -> None:
        """Does not wait."""
        self.call(self.roster.leave, channel, socket_id)

    def subscribe(self, channel: str, socket_id: str) -> Named:
        """Makes a connection that hears a channel."""
        one = Named(socket_id)
        self.call(self.hub.subscribe, one, [channel], Subscription(self.hub.position))
        return one

    def kill(self) -> None:
        """Ends it without a word to anybody."""
        if self._thread.is_alive():
            self.thaw()
            self.loop.call_soon_threadsafe(self._stop)
            self._thread.join(20)

    def _stop(self) -> None:
        for job in self.jobs:
            job.cancel()
        self.loop.stop()

    def freeze(self) -> None:
        """Stops it, as SIGSTOP does."""
        self._thawed.clear()
        self._frozen.clear()

        def stand_still() -> None:
            self._frozen.set()
            self._thawed.wait()

        self.loop.call_soon_threadsafe(stand_still)
        assert self._frozen.wait(20)

    def thaw(self) -> None:
        """Lets it go on."""
        self._thawed.set()


def told(journal: Any) -> list[str]:
    """The joins and leaves that have come since."""
    return [f"{data['id']} {kind.split('.')[1]}" for kind, _, data in journal.told()]


def waits_for(journal: Any, *events: str) -> None:
    """Waits until it has been told exactly these joins and leaves."""
    found: list[str] = []

    def complete() -> bool:
        found.extend(told(journal))
        return len(found) >= len(events)

    with suppress(AssertionError):
        wait_until(complete, "them all")
    assert found == list(events)


@pytest.fixture
def make_site(either_database: None, monkeypatch: Any) -> Iterator[Callable[[], Site]]:
    """Makes workers with quick leases, on SQLite and on PostgreSQL."""
    for module in (desk, leases, roster, slots, tally):
        if hasattr(module, "RENEWAL"):
            monkeypatch.setattr(module, "RENEWAL", QUICK)
    for module in (desk, leases, roster):
        monkeypatch.setattr(module, "LEASE", timedelta(seconds=3 * QUICK))
    sites: list[Site] = []

    def make() -> Site:
        sites.append(Site())
        return sites[-1]

    yield make
    for site in sites:
        with suppress(RuntimeError):
            site.kill()
