"""How many streams somebody has open, counted across all workers.

Each worker keeps a row for every stream it holds, under its lease. Who has died is not counted: on
this machine at once, elsewhere when it is declared lost. That has to be quick, for its clients are
about to come back, and an EventSource that is refused stays away for good. By the same reason a
database that is slow to let us count lets a stream open; it is counted afterwards.
"""

import itertools
import json
import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from realtime import failpoints, leases
from realtime.conf import settings
from realtime.database import locks
from realtime.leases import Lease
from realtime.log import database
from realtime.models import Stream
from realtime.rights.grants import Grant

logger = logging.getLogger(__name__)

_FORGOTTEN = timedelta(minutes=1)
_OPENING = 10.0
"""Seconds after which a stream that was counted and is held by nobody is one whose client left."""
_AT_ONCE = 200
"""Streams of which it is told anew in one go: the lease has to be renewed as well."""
_GLANCE = 40
"""Milliseconds that it waits for SQLite's lock in one go."""


@dataclass(frozen=True, slots=True)
class About:
    """What is told of a connection to those who run this, beside whose it is."""

    transport: str = ""
    channels: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    """What it rests on, as `Grant.dump` writes it."""

    @classmethod
    def of(cls, transport: str, channels: Iterable[str], grants: Iterable[Grant]) -> "About":
        """Of a connection that has these channels, and rests on these grants."""
        return cls(transport, tuple(sorted(channels)), tuple(sorted(g.dump() for g in grants)))

    def columns(self) -> dict[str, str]:
        """As a row has it."""
        return {
            "transport": self.transport,
            "channels": json.dumps(self.channels),
            "grants": json.dumps(self.grants),
        }


_NOTHING = About()


@dataclass(slots=True, eq=False)
class _Slot:
    """A stream that was asked for."""

    owner: str
    about: About = _NOTHING
    number: int = 0
    row: int | None = None
    """Its row's key, None until it is counted."""
    held: bool = False
    taken_at: float = field(default_factory=time.monotonic)


_Asked = Sequence[tuple[_Slot, int]]
"""Slots that were asked for, and how many streams their owners may have."""


def quota(grant: Grant) -> int:
    """How many connections whoever has this grant may have."""
    if grant.user is None:
        return int(settings.MAX_STREAMS_PER_ADDRESS)
    return int(settings.MAX_STREAMS_PER_USER)


class Quotas:
    """The streams of one worker, by numbers of its own. What asks the database says so: it is not
    for the event loop's thread."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._term = lease.term
        self._numbers = itertools.count(1)
        # Several threads change these while others read: from copies, which are made in one step.
        self._slots: dict[int, _Slot] = {}
        self._freed: dict[int, str] = {}
        """Rows to be deleted, and their owners."""
        self._told: dict[int, About] = {}
        """What there is to be told anew of streams, by their numbers."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._slots)

    def take(self, owner: str, quota: int, about: About = _NOTHING) -> int | None:
        """Counts one more stream of an owner: its number, or None if there are `quota` already.
        Asks the database."""
        return self.take_all([(owner, quota, about)])[0]

    def take_all(self, asked: Sequence[tuple[str, int, About]]) -> list[int | None]:
        """As `take`, for many owners with their quotas in one go."""
        slots = [(_Slot(owner, about, next(self._numbers)), quota) for owner, quota, about in asked]
        try:
            admitted = set(self._count(slots))
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Streams can't be counted yet: %s", error)
            known = Counter(slot.owner for slot in self._slots.copy().values())
            admitted = set(_within(known, slots))
        taken: list[int | None] = []
        for slot, _ in slots:
            if slot in admitted:
                self._slots[slot.number] = slot
            taken.append(slot.number if slot in admitted else None)
        return taken

    def hold(self, number: int) -> None:
        """Says that a stream is open: it counts until it is freed."""
        if slot := self._slots.get(number):
            slot.held = True

    def owner(self, number: int) -> str:
        """Whose a stream is."""
        slot = self._slots.get(number)
        return slot.owner if slot else ""

    def describe(self, number: int, about: About) -> None:
        """Has it told what a stream is like now, if that was not told before."""
        slot = self._slots.get(number)
        if slot is not None and slot.about != about:
            slot.about = about
            self._told[number] = about

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
            self._write_changed(alias)
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
            old = own.filter(opened_at__lt=timezone.now() - _FORGOTTEN)
            left = set(old.values_list("pk", flat=True))
            own.filter(pk__in=left - {slot.row for slot in self._slots.copy().values()}).delete()

    def leave(self) -> None:
        """Counts none of this worker's streams any more. Asks the database."""
        alias = database()
        with locks.impatience(alias):
            Stream.objects.using(alias).filter(worker=self._lease.worker).delete()

    def _count(self, asked: _Asked) -> list[_Slot]:
        """Those of the slots that are within their owners' quotas; they are counted now."""
        alias = database()
        end = time.monotonic() + locks.PATIENCE / 1000
        while True:
            try:
                return self._try_to_count(alias, asked)
            except OperationalError:
                # Those who wait for SQLite's lock in one go look the more rarely the longer they
                # wait, and may never get it.
                if connections[alias].vendor != "sqlite" or time.monotonic() > end:
                    raise

    def _try_to_count(self, alias: str, asked: _Asked) -> list[_Slot]:
        with locks.impatience(alias, _GLANCE):
            self._lease.ensure()
            # Who is refused anyway needs no lock.
            hopeful = _within(self._used(alias, asked), asked)
            if not hopeful:
                return []
            with transaction.atomic(using=alias):
                locks.limit_pauses(alias)
                locks.take(alias, {slot.owner for slot in hopeful}, patient=False)
                failpoints.reach("quotas.counting")
                admitted = _within(self._used(alias, asked), asked)
                rows = [self._row(slot) for slot in admitted]
                Stream.objects.using(alias).bulk_create(rows)
        for slot, row in zip(admitted, rows, strict=True):
            slot.row = row.pk
        return admitted

    def _row(self, slot: _Slot) -> Stream:
        return Stream(
            worker=self._lease.worker,
            number=slot.number,
            owner=slot.owner,
            # By the clock of this worker, which alone relies on it: SQL for each row costs more.
            opened_at=timezone.now(),
            **slot.about.columns(),
        )

    def _used(self, alias: str, asked: _Asked) -> Counter[str]:
        """How many streams each owner has, exactly where that is as many as allowed."""
        quotas = {slot.owner: quota for slot, quota in asked}
        streams = Stream.objects.using(alias).filter(owner__in=quotas, worker__lost=False)
        used = _by_owner(streams)
        wanted = used + Counter(slot.owner for slot, _ in asked)
        full = [owner for owner, count in wanted.items() if count > quotas[owner]]
        if full:
            freed = [row for row, owner in self._freed.copy().items() if owner in full]
            left = streams.filter(owner__in=full).exclude(pk__in=freed)
            exact = _by_owner(left.exclude(worker__in=leases.dead_here()))
            used.update({owner: exact[owner] - used[owner] for owner in full})
        return used

    def _find_lost_rows(self, alias: str) -> None:
        """Others that took this worker for lost may have removed its rows."""
        if self._term == self._lease.term:
            return
        self._term = self._lease.term
        # First: what is counted meanwhile is not among the rows that are read then.
        slots = self._slots.copy()
        own = Stream.objects.using(alias).filter(worker=self._lease.worker)
        known = set(own.values_list("pk", flat=True))
        for slot in slots.values():
            if slot.row not in known:
                slot.row = None

    def _write_uncounted(self, alias: str) -> None:
        for number, slot in self._slots.copy().items():
            if slot.held and slot.row is None:
                self._lease.ensure()
                row = self._row(slot)
                row.save(using=alias, force_insert=True)
                slot.row = row.pk
                if number not in self._slots:
                    self._freed[row.pk] = slot.owner
            elif not slot.held and time.monotonic() > slot.taken_at + _OPENING:
                self.free(number)

    def _write_changed(self, alias: str) -> None:
        changed = list(self._told.copy().items())[:_AT_ONCE]
        rows = []
        for number, about in changed:
            slot = self._slots.get(number)
            if slot is not None and slot.row is not None:
                rows.append(Stream(pk=slot.row, **about.columns()))
        if rows:
            Stream.objects.using(alias).bulk_update(rows, ["transport", "channels", "grants"])
        for number, about in changed:
            # Whoever is not counted yet is told of by the row that is yet to be written.
            if self._told.get(number) is about:
                del self._told[number]


def _within(used: Counter[str], asked: _Asked) -> list[_Slot]:
    """The slots that there is room for beside those in use."""
    used = used.copy()
    found = []
    for slot, quota in asked:
        if used[slot.owner] < quota:
            used[slot.owner] += 1
            found.append(slot)
    return found


def _by_owner(streams: "QuerySet[Stream]") -> Counter[str]:
    return Counter(dict(streams.values_list("owner").annotate(Count("pk")).order_by()))
