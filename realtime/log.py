"""The log: append, number, read, prune. The only user of its tables.

On PostgreSQL numbers are given after commit, because neither a sequence nor an autoincrement id
becomes visible in order: a transaction that took a lower id may commit later, and a reader that has
passed it would never see its event. Rows are appended without a number; `sequence` locks the head
row, and then, in a second statement whose snapshot is taken under that lock, numbers what is
committed, by id. Events of one row keep their order, since its writers wait for each other's commit
before they append.

On SQLite one transaction writes at a time, and so they commit in the order in which they append:
numbers are given at once, and rolled back with the rest.
"""

import json
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Subquery
from django.utils import timezone

from realtime import events, failpoints, models
from realtime.chunks import chunked
from realtime.conf import settings
from realtime.events import Batch, Event, EventId
from realtime.exceptions import PositionLost
from realtime.locks import limit_pauses

_BATCH = 1000

# Works on PostgreSQL and SQLite alike. The subquery is materialised before any row is changed.
_NUMBER = """
UPDATE realtime_event SET seq = %s + numbered.rank, nonce = %s
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS rank
    FROM (SELECT id FROM realtime_event WHERE seq IS NULL ORDER BY id LIMIT %s) AS waiting
) AS numbered
WHERE realtime_event.id = numbered.id
"""

# What each write does is plain SQL: the ORM costs several times as much.
_INSERT = """
INSERT INTO realtime_event (seq, nonce, channel, type, data, changed, mutation, exclude, created_at)
VALUES """
_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
_ROWS = 100
"""Rows written by one statement: SQLite limits its variables."""
_ADVANCE = "UPDATE realtime_head SET seq = seq + %s"
_NEWEST = "SELECT seq, nonce FROM realtime_head"
_RENEW = "UPDATE realtime_head SET nonce = %s"


@dataclass(frozen=True, slots=True)
class Extent:
    """Which positions the log holds: everything after `floor`, up to `head`."""

    head: EventId
    floor: EventId


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the log's order, and the position up to which they are all there were."""

    events: list[Event]
    upto: EventId
    complete: bool
    """Whether `upto` was the log's head."""


def database() -> str:
    """The alias of the database that holds the log."""
    return router.db_for_write(models.Event)


def append(new: Iterable[Event]) -> Batch:
    """Writes events into the log, in the caller's transaction: rolled back, they never were.

    Answers those that have their numbers already: all on SQLite, none elsewhere.
    """
    written = [replace(event, id=None, frames={}) for event in new]
    alias, numbered = database(), Batch()
    if not written:
        return numbered
    connection, now = connections[alias], timezone.now()
    with transaction.atomic(using=alias, savepoint=False), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            numbered = _number_at_once(cursor, alias, written, now.timestamp())
        moment = connection.ops.adapt_datetimefield_value(now)
        for chunk in chunked(numbered.events or written, _ROWS):
            values = [value for event in chunk for value in (*_values(event), moment)]
            cursor.execute(_INSERT + ", ".join([_ROW] * len(chunk)), values)
    failpoints.reach("log.appended")
    return numbered


def _number_at_once(cursor: Any, alias: str, new: Sequence[Event], at: float) -> Batch:
    """The next numbers for events that are about to be written."""
    before, nonce = _advance(cursor, alias, len(new)), _new_nonce()
    failpoints.reach("log.numbering")
    cursor.execute(_RENEW, [nonce])
    numbers = enumerate(new, before.seq + 1)
    return Batch(
        tuple(replace(event, id=EventId(n, nonce), at=at) for n, event in numbers),
        before,
    )


def _advance(cursor: Any, alias: str, count: int) -> EventId:
    """Moves the head on; answers where it was."""
    # A write comes first: it waits for the file's lock, which who has read would be refused.
    cursor.execute(_ADVANCE, [count])
    if not cursor.rowcount:
        _create_head(alias)
        cursor.execute(_ADVANCE, [count])
    cursor.execute(_NEWEST)
    seq, nonce = cursor.fetchone()
    return EventId(seq - count, nonce)


def waits() -> bool:
    """Whether there is anything to number."""
    return models.Event.objects.using(database()).filter(seq=None).exists()


def sequence() -> Batch:
    """Numbers what is committed and unnumbered, at most a batch; returns it in order.

    Waits for another process that is numbering; skipping instead could strand a row.
    """
    alias = database()
    if not waits():
        return Batch()
    with transaction.atomic(using=alias, durable=True):
        head = _lock_head(alias)
        before, nonce = EventId(head.seq, head.nonce), _new_nonce()
        with connections[alias].cursor() as cursor:
            cursor.execute(_NUMBER, [head.seq, nonce, _BATCH])
            count = cursor.rowcount
        if count == 0:
            return Batch()
        failpoints.reach("log.numbering")
        head.seq, head.nonce = head.seq + count, nonce
        head.save(using=alias, update_fields=("seq", "nonce"))
        rows = models.Event.objects.using(alias).filter(seq__gt=before.seq).order_by("seq")
        return Batch(tuple(map(_event, rows)), before)


def extent() -> Extent:
    """The log's head and floor, as they are now."""
    row = _head_row(database())
    return Extent(EventId(row.seq, row.nonce), EventId(row.floor, row.floor_nonce))


def head() -> EventId:
    """The position of the newest numbered event."""
    return extent().head


def read_after(
    position: EventId, channels: Sequence[str] | None = None, limit: int | None = None
) -> Page:
    """The events after `position`, of `channels` or of all; at most `limit`.

    Raises `PositionLost` if the log can't tell what came after `position`.
    """
    limit = limit or settings.REPLAY_PAGE
    now = extent()
    _check(position, now)
    rows = models.Event.objects.using(database()).filter(
        seq__gt=position.seq, seq__lte=now.head.seq
    )
    if channels is not None:
        rows = rows.filter(channel__in=channels)
    found = [_event(row) for row in rows.order_by("seq")[:limit]]
    # Rows may have been pruned between the two statements: what counts is the floor now.
    if extent().floor.seq > position.seq:
        raise PositionLost("pruned")
    if len(found) < limit:
        return Page(found, now.head, complete=True)
    upto = found[-1].position
    return Page(found, upto, complete=upto == now.head)


def newest(channel: str, max_age: float, but: Collection[str] = ()) -> tuple[Event, float] | None:
    """The newest numbered event of a channel and its age in seconds, if it is younger than
    `max_age`; events of the types in `but` don't count."""
    now = timezone.now()
    rows = models.Event.objects.using(database()).filter(channel=channel, seq__isnull=False)
    row = rows.exclude(type__in=but).order_by("-seq").first()
    if row is None or row.created_at <= now - timedelta(seconds=max_age):
        return None
    return _event(row), max(0.0, (now - row.created_at).total_seconds())


def last_before(channels: Sequence[str], upto: EventId) -> EventId | None:
    """The newest position of an event on one of `channels`, up to `upto`, if the log has any."""
    rows = models.Event.objects.using(database())
    # One look at the index for each channel, however many events it has.
    newest_of_each: list[Any] = [
        Subquery(rows.filter(channel=channel, seq__lte=upto.seq).order_by("-seq").values("seq")[:1])
        for channel in channels
    ]
    row = rows.filter(seq__in=newest_of_each).order_by("-seq").first()
    return None if row is None else _event(row).id


def check(position: EventId) -> None:
    """Raises `PositionLost` unless the log can tell what came after `position`."""
    _check(position, extent())


def _check(position: EventId, now: Extent) -> None:
    if position in (now.head, now.floor):
        return
    if position.seq < now.floor.seq:
        raise PositionLost("pruned")
    if position.seq in (now.head.seq, now.floor.seq) or position.seq > now.head.seq:
        raise PositionLost("unknown-id")
    stored = models.Event.objects.using(database()).filter(seq=position.seq)
    if stored.values_list("nonce", flat=True).first() != position.nonce:
        raise PositionLost("unknown-id")


def prunable(max_age: float | None = None, max_events: int | None = None) -> EventId | None:
    """Up to where `prune` would delete now; None if there is nothing to delete."""
    now = extent()
    target = _prune_target(now, max_age, max_events)
    if target <= now.floor.seq:
        return None
    row = models.Event.objects.using(database()).filter(seq__lte=target).order_by("-seq").first()
    return EventId(target, row.nonce if row else now.floor.nonce)


def prune(max_age: float | None = None, max_events: int | None = None) -> int:
    """Deletes events beyond an age in seconds or a number of events; returns how many.

    The defaults are ``REALTIME_LOG_MAX_AGE`` and ``REALTIME_LOG_MAX_EVENTS``. Deletes in batches,
    so that writers never wait long; who is below the new floor will be told to refetch.
    """
    target = _prune_target(extent(), max_age, max_events)
    pruned = 0
    while (floor := extent().floor.seq) < target:
        pruned += _advance_floor(min(floor + _BATCH, target))
    return pruned


def _prune_target(now: Extent, max_age: float | None, max_events: int | None) -> int:
    age = settings.LOG_MAX_AGE if max_age is None else max_age
    keep = settings.LOG_MAX_EVENTS if max_events is None else max_events
    oldest = timezone.now() - timedelta(seconds=age)
    rows = models.Event.objects.using(database())
    young = rows.filter(seq__gt=now.floor.seq, created_at__gte=oldest).order_by("seq")
    first_young = young.values_list("seq", flat=True).first()
    by_age = now.head.seq if first_young is None else first_young - 1
    return max(by_age, now.head.seq - keep)


def _advance_floor(target: int) -> int:
    alias = database()
    with transaction.atomic(using=alias):
        row = _lock_head(alias)
        failpoints.reach("log.pruning")
        doomed = models.Event.objects.using(alias).filter(seq__lte=target)
        last = doomed.order_by("-seq").first()
        # Somebody may have deleted rows by hand: the floor rises all the same.
        row.floor, row.floor_nonce = target, last.nonce if last else _new_nonce()
        row.save(using=alias, update_fields=("floor", "floor_nonce"))
        return doomed.delete()[0]


def _head_row(alias: str) -> models.Head:
    try:
        return models.Head.objects.using(alias).get()
    except models.Head.DoesNotExist:
        return _create_head(alias)


def _lock_head(alias: str) -> models.Head:
    limit_pauses(alias)
    locked = models.Head.objects.using(alias).select_for_update()
    return locked.first() or locked.get(pk=_create_head(alias).pk)


def _create_head(alias: str) -> models.Head:
    # A log is born with a nonce, so that also the position before its first event is its own.
    nonce = _new_nonce()
    born = {"nonce": nonce, "floor_nonce": nonce}
    return models.Head.objects.using(alias).get_or_create(pk=1, defaults=born)[0]


def _new_nonce() -> str:
    return secrets.token_hex(4)


def _values(event: Event) -> list[Any]:
    """Those of a row, up to when it was written."""
    return [
        event.id and event.id.seq,
        event.id.nonce if event.id else "",
        event.channel,
        event.type,
        event.data,
        events.dumps(event.changed) if event.changed is not None else "",
        event.mutation or "",
        event.exclude,
    ]


def _event(row: models.Event) -> Event:
    return Event(
        channel=row.channel,
        type=row.type,
        data=row.data,
        changed=tuple(json.loads(row.changed)) if row.changed else None,
        mutation=row.mutation or None,
        id=None if row.seq is None else EventId(row.seq, row.nonce),
        exclude=row.exclude,
        at=row.created_at.timestamp(),
    )
