"""How many streams somebody has open, counted across all workers.

Each worker keeps a row for every stream it holds, and says every second that it lives. Who has died
is not counted: on this machine at once, elsewhere after its lease. That has to be quick, for its
clients are about to come back, and an EventSource that is refused stays away for good. By the same
reason a database that is slow to let us count lets a stream open; it is counted afterwards.
"""

import itertools
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from realtime import failpoints
from realtime.log import database, limit_pauses
from realtime.models import Stream, Worker

logger = logging.getLogger(__name__)

RENEWAL = 1.0
"""Seconds between two signs of life of a worker that holds streams."""
_LEASE = timedelta(seconds=3)
_FORGOTTEN = timedelta(minutes=1)
_OPENING = 10.0
"""Seconds after which a stream that was counted and is held by nobody is one whose client left."""
_PATIENCE = 1000
"""Milliseconds that a stream may wait for its turn to be counted."""
_LONG_PATIENCE = 2000
"""The same, where no client waits."""


@dataclass(slots=True)
class _Slot:
    """A stream that was asked for."""

    owner: str
    row: int | None = None
    """Its row's key, None until it is counted."""
    held: bool = False
    taken_at: float = field(default_factory=time.monotonic)


class Quotas:
    """The streams of one worker, by numbers of its own. What asks the database says so: it is not
    for the event loop's thread."""

    def __init__(self) -> None:
        self._worker = Worker(id=secrets.token_hex(16), host=_host(), pid=os.getpid())
        self._renewed = float("-inf")
        self._renewing = threading.Lock()
        self._numbers = itertools.count(1)
        self._slots: dict[int, _Slot] = {}
        self._freed: dict[int, str] = {}
        """Rows to be deleted, and their owners."""

    def take(self, owner: str, quota: int) -> int | None:
        """Counts one more stream of an owner: its number, or None if there are `quota` already.
        Asks the database."""
        slot = _Slot(owner)
        try:
            if not self._count(slot, quota):
                return None
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A stream can't be counted yet: %s", error)
            if sum(other.owner == owner for other in list(self._slots.values())) >= quota:
                return None
        number = next(self._numbers)
        self._slots[number] = slot
        return number

    def hold(self, number: int) -> None:
        """Says that a stream is open: it counts until it is freed."""
        if slot := self._slots.get(number):
            slot.held = True

    def free(self, number: int) -> None:
        """Counts a stream no more, from this worker's next request on; from others' once `tell` has
        been called."""
        slot = self._slots.pop(number, None)
        # A row that is only being written now is noticed by who writes it.
        if slot is not None and slot.row is not None:
            self._freed[slot.row] = slot.owner

    def tell(self) -> None:
        """Tells the database that this worker lives, and which streams have come and gone."""
        alias = database()
        with _patience(alias, _LONG_PATIENCE):
            if self._slots:
                self._renew(alias, after=0)
            self._write_uncounted(alias)
            freed = self._freed.copy()
            if freed:
                Stream.objects.using(alias).filter(pk__in=freed).delete()
            for row in freed:
                del self._freed[row]

    def tidy(self) -> None:
        """Deletes the rows of workers that have died, and those of this one that it does not know:
        a connection may break after it has sent a commit. Asks the database."""
        alias = database()
        with _patience(alias, _LONG_PATIENCE):
            Worker.objects.using(alias).filter(seen_at__lt=Now() - _FORGOTTEN).delete()
            own = Stream.objects.using(alias).filter(worker=self._worker)
            old = set(own.filter(opened_at__lt=Now() - _FORGOTTEN).values_list("pk", flat=True))
            own.filter(pk__in=old - {slot.row for slot in list(self._slots.values())}).delete()

    def leave(self) -> None:
        """Counts none of this worker's streams any more. Asks the database."""
        alias = database()
        with _patience(alias, _PATIENCE):
            Worker.objects.using(alias).filter(pk=self._worker.pk).delete()

    def _count(self, slot: _Slot, quota: int) -> bool:
        alias = database()
        with _patience(alias, _PATIENCE):
            self._renew(alias, after=RENEWAL)
            with transaction.atomic(using=alias):
                _lock(alias, slot.owner)
                failpoints.reach("quotas.counting")
                if self._is_used_up(alias, slot.owner, quota):
                    return False
                row = Stream(worker=self._worker, owner=slot.owner, opened_at=Now())
                row.save(using=alias, force_insert=True)
        slot.row = row.pk
        return True

    def _is_used_up(self, alias: str, owner: str, quota: int) -> bool:
        live = Worker.objects.using(alias).filter(seen_at__gt=Now() - _LEASE)
        streams = Stream.objects.using(alias).filter(owner=owner, worker__in=live)
        if streams.count() < quota:
            return False
        freed = [row for row, freed_by in self._freed.copy().items() if freed_by == owner]
        left = streams.exclude(pk__in=freed).exclude(worker__in=_dead(live))
        return left.count() >= quota

    def _write_uncounted(self, alias: str) -> None:
        for number, slot in list(self._slots.items()):
            if slot.held and slot.row is None:
                row = Stream(worker=self._worker, owner=slot.owner, opened_at=Now())
                row.save(using=alias, force_insert=True)
                slot.row = row.pk
                if number not in self._slots:
                    self._freed[row.pk] = slot.owner
            elif not slot.held and time.monotonic() > slot.taken_at + _OPENING:
                self.free(number)

    def _renew(self, alias: str, after: float) -> None:
        """Says that this worker lives, unless it has done so in the last seconds."""
        if not self._renewing.acquire(timeout=_PATIENCE / 1000):
            raise OperationalError("another thread waits for the database")
        try:
            if time.monotonic() > self._renewed + after:
                self._say_alive(alias)
                self._renewed = time.monotonic()
        finally:
            self._renewing.release()

    def _say_alive(self, alias: str) -> None:
        workers = Worker.objects.using(alias)
        own = workers.filter(pk=self._worker.pk)
        last = own.values_list("seen_at", flat=True).first()
        if last is None:
            self._begin(alias)
        elif not workers.filter(seen_at__gt=Now() - _LEASE).exists():
            # It was the database that was away, and nobody has died of that.
            workers.filter(seen_at__gt=last - _LEASE).update(seen_at=Now())
        else:
            own.update(seen_at=Now())

    def _begin(self, alias: str) -> None:
        # If it had a row before, that was taken for dead, with all of its streams.
        for slot in list(self._slots.values()):
            slot.row = None
        self._worker.seen_at = Now()
        Worker.objects.using(alias).bulk_create(
            [self._worker],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["seen_at"],
        )


def _host() -> str:
    """Where a process id means the same process: containers of one machine may share its name."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _dead(workers: QuerySet[Worker]) -> Collection[str]:
    """Those that were processes of this machine and have died."""
    return [worker.id for worker in workers.filter(host=_host()) if not _runs(worker.pid)]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _lock(alias: str, owner: str) -> None:
    """Lets one process at a time count an owner's streams. On SQLite it does so already: the
    transaction has the only write lock."""
    if connections[alias].vendor == "postgresql":
        limit_pauses(alias)
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {_PATIENCE}")
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [owner])


@contextmanager
def _patience(alias: str, milliseconds: int) -> Iterator[None]:
    """On SQLite, waits for the write lock less long than other writers do."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    usual = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")
