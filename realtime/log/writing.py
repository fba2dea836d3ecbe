"""How events come into the log: appended by writers, and numbered in one order.

On PostgreSQL numbers are given after commit, because neither a sequence nor an autoincrement id
becomes visible in order: a transaction that took a lower id may commit later, and a reader that has
passed it would never see its event. Rows are appended without a number; `sequence` locks the head
row, and then, in a second statement whose snapshot is taken under that lock, numbers what is
committed, by id. Events of one row keep their order, since its writers wait for each other's commit
before they append.

On SQLite one transaction writes at a time, and so they commit in the order in which they append:
numbers are given at once, and rolled back with the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from realtime import failpoints, models
from realtime.events import Batch, Event, EventId
from realtime.log.heads import create_head, database, lock_head, new_nonce
from realtime.log.rows import insert, to_event

BATCH = 1000
"""Events that are numbered in one transaction, at most."""

# Works on PostgreSQL and SQLite alike. The subquery is materialised before any row is changed.
_NUMBER = """
UPDATE realtime_event SET seq = %s + numbered.rank, nonce = %s
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS rank
    FROM (SELECT id FROM realtime_event WHERE seq IS NULL ORDER BY id LIMIT %s) AS waiting
) AS numbered
WHERE realtime_event.id = numbered.id
"""

_ADVANCE = "UPDATE realtime_head SET seq = seq + %s"
_NEWEST = "SELECT seq, nonce FROM realtime_head"
_RENEW = "UPDATE realtime_head SET nonce = %s"


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
        insert(cursor, numbered.events or written, moment)
    failpoints.reach("log.appended")
    return numbered


def _number_at_once(cursor: Any, alias: str, new: Sequence[Event], at: float) -> Batch:
    """The next numbers for events that are about to be written."""
    before, nonce = _advance(cursor, alias, len(new)), new_nonce()
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
        create_head(alias)
        cursor.execute(_ADVANCE, [count])
    cursor.execute(_NEWEST)
    seq, nonce = cursor.fetchone()
    return EventId(seq - count, nonce)


def waits() -> bool:
    """Whether there is anything to number."""
    return models.Event.objects.using(database()).filter(seq=None).exists()


def sequence() -> Batch:
    """Numbers what is committed and unnumbered, at most `BATCH`; returns it in order.

    Waits for another process that is numbering; skipping instead could strand a row.
    """
    alias = database()
    with transaction.atomic(using=alias, durable=True):
        head = lock_head(alias)
        before, nonce = EventId(head.seq, head.nonce), new_nonce()
        with connections[alias].cursor() as cursor:
            cursor.execute(_NUMBER, [head.seq, nonce, BATCH])
            count = cursor.rowcount
        if count == 0:
            return Batch()
        failpoints.reach("log.numbering")
        head.seq, head.nonce = head.seq + count, nonce
        head.save(using=alias, update_fields=("seq", "nonce"))
        rows = models.Event.objects.using(alias).filter(seq__gt=before.seq).order_by("seq")
        return Batch(tuple(map(to_event, rows)), before)
