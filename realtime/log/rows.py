"""Events as rows of the log's table."""

import json
from collections.abc import Sequence
from typing import Any

from realtime import events, models
from realtime.database.chunks import chunked
from realtime.events import Event, EventId

# What each write does is plain SQL: the ORM costs several times as much.
_INSERT = """
INSERT INTO realtime_event (seq, nonce, channel, type, data, changed, mutation, exclude, created_at)
VALUES """
_ROW = "(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
_ROWS = 100
"""Rows written by one statement: SQLite limits its variables."""


def insert(cursor: Any, written: Sequence[Event], moment: Any) -> None:
    """Writes events, with the numbers that they have; `moment` as the database takes it."""
    for chunk in chunked(written, _ROWS):
        values = [value for event in chunk for value in (*_values(event), moment)]
        cursor.execute(_INSERT + ", ".join([_ROW] * len(chunk)), values)


def to_event(row: models.Event) -> Event:
    """The event that a row holds."""
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


def _values(event: Event) -> list[Any]:
    """Those of a row, up to when it was event."""
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
