"""How many streams somebody has open, counted across all workers.

Each worker keeps a row for every stream it holds, and says every second that it lives. Who has died
is not counted: on this machine at once, elsewhere after its lease. That has to be quick, for its
clients are about to come back, and an EventSource that is refused stays away for good. By the same
reason a database that is slow to let us count lets a stream open uncounted.
"""

import logging
import os
import secrets
import socket
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.db import OperationalError, connections, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from realtime.log import database
from realtime.models import Stream, Worker

logger = logging.getLogger(__name__)

RENEWAL = 1.0
"""Seconds between two signs of life of a worker that holds streams."""
_LEASE = timedelta(seconds=3)
_FORGOTTEN = timedelta(minutes=1)
"""After so long, no stream is still being opened."""
_PATIENCE = 250
"""Milliseconds that counting may wait for a lock."""

UNCOUNTED = 0


class Quotas:
    """The streams of one worker. Its methods ask the database: not for the event loop's thread."""

    def __init__(self) -> None:
        self._worker = Worker(id=secrets.token_hex(16), host=socket.gethostname(), pid=os.getpid())
        self._renewed = float("-inf")

    def take(self, owner: str, quota: int) -> int | None:
        """Counts one more stream of an owner: its id, or None if there are `quota` already."""
        alias = database()
        try:
            with _impatience(alias):
                if time.monotonic() > self._renewed + RENEWAL:
                    self._renew(alias)
                with transaction.atomic(using=alias):
                    _lock(alias, owner)
                    return self._take(alias, owner, quota)
        except OperationalError as error:
            logger.warning("A stream could not be counted: %s", error)
            return UNCOUNTED

    def free(self, ids: Collection[int]) -> None:
        """Counts streams no more."""
        alias = database()
        with _impatience(alias):
            Stream.objects.using(alias).filter(pk__in=ids).delete()

    def renew(self) -> None:
        """Says that this worker lives."""
        alias = database()
        with _impatience(alias):
            self._renew(alias)

    def tidy(self, held: Collection[int]) -> None:
        """Deletes the rows of workers that have died, and those of streams that this worker was
        asked for and does not hold: their clients left while they were being opened."""
        alias = database()
        with _impatience(alias):
            Worker.objects.using(alias).filter(seen_at__lt=Now() - _FORGOTTEN).delete()
            own = Stream.objects.using(alias).filter(worker=self._worker)
            old = own.filter(opened_at__lt=Now() - _FORGOTTEN).values_list("pk", flat=True)
            own.filter(pk__in=set(old).difference(held)).delete()

    def leave(self) -> None:
        """Counts none of this worker's streams any more."""
        alias = database()
        with _impatience(alias):
            Worker.objects.using(alias).filter(pk=self._worker.pk).delete()

    def _take(self, alias: str, owner: str, quota: int) -> int | None:
        taken = _open_streams(alias, owner)
        if taken.count() >= quota:
            _bury(taken)
            if taken.count() >= quota:
                return None
        row = Stream(worker=self._worker, owner=owner, opened_at=Now())
        row.save(using=alias, force_insert=True)
        return row.pk

    def _renew(self, alias: str) -> None:
        self._worker.seen_at = Now()
        Worker.objects.using(alias).bulk_create(
            [self._worker],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["seen_at"],
        )
        self._renewed = time.monotonic()


def _open_streams(alias: str, owner: str) -> QuerySet[Stream]:
    return Stream.objects.using(alias).filter(owner=owner, worker__seen_at__gt=Now() - _LEASE)


def _bury(streams: QuerySet[Stream]) -> None:
    """Deletes the workers of these streams that were processes of this machine and have died."""
    ids = streams.filter(worker__host=socket.gethostname()).values("worker")
    for worker in Worker.objects.using(streams.db).filter(pk__in=ids):
        if not Path(f"/proc/{worker.pid}").exists():
            worker.delete()


def _lock(alias: str, owner: str) -> None:
    """Lets one process at a time count an owner's streams. On SQLite it does so already: the
    transaction has the only write lock."""
    if connections[alias].vendor == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {_PATIENCE}")
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [owner])


@contextmanager
def _impatience(alias: str) -> Iterator[None]:
    """On SQLite, waits for the write lock less long than other writers do."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    usual = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")
