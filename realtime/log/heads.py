"""The log's head and floor: the one row that says which positions there are."""

import secrets
from dataclasses import dataclass

from django.db import router

from realtime import models
from realtime.database.locks import limit_pauses
from realtime.events import EventId


@dataclass(frozen=True, slots=True)
class Extent:
    """Which positions the log holds: everything after `floor`, up to `head`."""

    head: EventId
    floor: EventId


def database() -> str:
    """The alias of the database that holds the log."""
    return router.db_for_write(models.Event)


def extent() -> Extent:
    """The log's head and floor, as they are now."""
    row = _head_row(database())
    return Extent(EventId(row.seq, row.nonce), EventId(row.floor, row.floor_nonce))


def head() -> EventId:
    """The position of the newest numbered event."""
    return extent().head


def _head_row(alias: str) -> models.Head:
    try:
        return models.Head.objects.using(alias).get()
    except models.Head.DoesNotExist:
        return create_head(alias)


def lock_head(alias: str) -> models.Head:
    """The head, locked until the transaction ends."""
    limit_pauses(alias)
    locked = models.Head.objects.using(alias).select_for_update()
    return locked.first() or locked.get(pk=create_head(alias).pk)


def create_head(alias: str) -> models.Head:
    """The head of a log that has none yet."""
    # A log is born with a nonce, so that also the position before its first event is its own.
    nonce = new_nonce()
    born = {"nonce": nonce, "floor_nonce": nonce}
    return models.Head.objects.using(alias).get_or_create(pk=1, defaults=born)[0]


def new_nonce() -> str:
    """What tells positions of one number apart, should a log be restored."""
    return secrets.token_hex(4)
