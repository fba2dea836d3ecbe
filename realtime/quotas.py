"""How many streams somebody has open, counted across all workers.

Each worker keeps a row for every stream it holds, under its lease. Who has died is not counted: on
this machine at once, elsewhere when it is declared lost. That has to be quick, for its clients are
about to come back, and an EventSource that is refused stays away for good. By the same reason a
database that is slow to let us count lets a stream open; it is counted afterwards.
"""

import itertools
import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.models.functions import Now

from realtime import failpoints, leases, locks
from realtime.leases import Lease
from realtime.log import database
from realtime.models import Stream

logger = logging.getLogger(__name__)

_FORGOTTEN = timedelta(minutes=1)
_OPENING = 10.0
"""Seconds after which a stream that was counted and is held by nobody is one whose client left."""
_GLANCE = 40
"""Milliseconds that it waits for SQLite's lock in one go."""


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

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._term = lease.term
        self._numbers = itertools.count(1)
        self._slots: dict[int, _Slot] = {}
        self._freed: dict[int, str] = {}
        """Rows to be deleted, and their owners."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._slots)

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
        """Tells the database which streams have come and gone."""
        alias = database()
        with locks.impatience(alias, locks.LONG_PATIENCE):
            self._find_lost_rows(alias)
            self._write_uncounted(alias)
            freed = self._freed.copy()
            if freed:
                Stream.objects.using(alias).filter(pk__in=freed).delete()
            for row in freed:
                del self._freed[row]

    def tidy(self) -> None:
        """Deletes the rows of this worker that it does not know: a connection may break after it
        has sent a commit. Asks the database."""
        alias = database()
        with locks.impatience(alias, locks.LONG_PATIENCE):
            own = Stream.objects.using(alias).filter(worker=self._lease.worker)
            old = set(own.filter(opened_at__lt=Now() - _FORGOTTEN).values_list("pk", flat=True))
            own.filter(pk__in=old - {slot.row for slot in list(self._slots.values())}).delete()

    def leave(self) -> None:
        """Counts none of this worker's streams any more. Asks the database."""
        alias = database()
        with locks.impatience(alias):
            Stream.objects.using(alias).filter(worker=self._lease.worker).delete()

    def _count(self, slot: _Slot, quota: int) -> bool:
        alias = database()
        end = time.monotonic() + locks.PATIENCE / 1000
        while True:
            try:
                return self._try_to_count(alias, slot, quota)
            except OperationalError:
                # Those who wait for SQLite's lock in one go look the more rarely the longer they
                # wait, and may never get it.
                if connections[alias].vendor != "sqlite" or time.monotonic() > end:
                    raise

    def _try_to_count(self, alias: str, slot: _Slot, quota: int) -> bool:
        with locks.impatience(alias, _GLANCE):
            self._lease.ensure()
            # Who is refused anyway needs no lock.
            if self._is_used_up(alias, slot.owner, quota):
                return False
            with transaction.atomic(using=alias):
                locks.limit_pauses(alias)
                locks.take(alias, [slot.owner], patient=False)
                failpoints.reach("quotas.counting")
                if self._is_used_up(alias, slot.owner, quota):
                    return False
                row = Stream(worker=self._lease.worker, owner=slot.owner, opened_at=Now())
                row.save(using=alias, force_insert=True)
        slot.row = row.pk
        return True

    def _is_used_up(self, alias: str, owner: str, quota: int) -> bool:
        streams = Stream.objects.using(alias).filter(owner=owner, worker__lost=False)
        if streams.count() < quota:
            return False
        freed = [row for row, freed_by in self._freed.copy().items() if freed_by == owner]
        left = streams.exclude(pk__in=freed).exclude(worker__in=leases.dead_here())
        return left.count() >= quota

    def _find_lost_rows(self, alias: str) -> None:
        """Others that took this worker for lost may have removed its rows."""
        if self._term == self._lease.term:
            return
        self._term = self._lease.term
        own = Stream.objects.using(alias).filter(worker=self._lease.worker)
        known = set(own.values_list("pk", flat=True))
        for slot in list(self._slots.values()):
            if slot.row not in known:
                slot.row = None

    def _write_uncounted(self, alias: str) -> None:
        for number, slot in list(self._slots.items()):
            if slot.held and slot.row is None:
                self._lease.ensure()
                row = Stream(worker=self._lease.worker, owner=slot.owner, opened_at=Now())
                row.save(using=alias, force_insert=True)
                slot.row = row.pk
                if number not in self._slots:
                    self._freed[row.pk] = slot.owner
            elif not slot.held and time.monotonic() > slot.taken_at + _OPENING:
                self.free(number)
