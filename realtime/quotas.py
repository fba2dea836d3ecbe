"""How many streams somebody has open, counted across all workers.

Each worker keeps a row for every stream it holds, and says every second that it lives. Who has died
is not counted: on this machine at once, elsewhere after its lease. That has to be quick, for its
clients are about to come back, and an EventSource that is refused stays away for good. By the same
reason a database that is slow to let us count lets a stream open uncounted.
"""

import logging
import socket
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from realtime import locks
from realtime.leases import LEASE, Lease
from realtime.log import database
from realtime.models import Stream, Worker

logger = logging.getLogger(__name__)

_OPENED = timedelta(minutes=1)
"""After so long, no stream is still being opened."""

UNCOUNTED = 0


class Quotas:
    """The streams of one worker. Its methods ask the database: not for the event loop's thread."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease

    def take(self, owner: str, quota: int) -> int | None:
        """Counts one more stream of an owner: its id, or None if there are `quota` already."""
        alias = database()
        try:
            with locks.impatience(alias):
                self._lease.ensure()
                with transaction.atomic(using=alias):
                    locks.take(alias, [owner], patient=False)
                    return self._take(alias, owner, quota)
        except OperationalError as error:
            logger.warning("A stream could not be counted: %s", error)
            return UNCOUNTED

    def free(self, ids: Collection[int]) -> None:
        """Counts streams no more."""
        alias = database()
        with locks.impatience(alias):
            Stream.objects.using(alias).filter(pk__in=ids).delete()

    def tidy(self, held: Collection[int]) -> None:
        """Deletes the rows of streams that this worker was asked for and does not hold: their
        clients left while they were being opened."""
        alias = database()
        with locks.impatience(alias):
            own = Stream.objects.using(alias).filter(worker=self._lease.worker)
            old = own.filter(opened_at__lt=Now() - _OPENED).values_list("pk", flat=True)
            own.filter(pk__in=set(old).difference(held)).delete()

    def leave(self) -> None:
        """Counts none of this worker's streams any more."""
        alias = database()
        with locks.impatience(alias):
            Stream.objects.using(alias).filter(worker=self._lease.worker).delete()

    def _take(self, alias: str, owner: str, quota: int) -> int | None:
        taken = _open_streams(alias, owner)
        if taken.count() >= quota:
            _bury(taken)
            if taken.count() >= quota:
                return None
        row = Stream(worker=self._lease.worker, owner=owner, opened_at=Now())
        row.save(using=alias, force_insert=True)
        return row.pk


def _open_streams(alias: str, owner: str) -> QuerySet[Stream]:
    return Stream.objects.using(alias).filter(owner=owner, worker__seen_at__gt=Now() - LEASE)


def _bury(streams: QuerySet[Stream]) -> None:
    """Deletes the streams of these workers that were processes of this machine and have died. Not
    the workers: what else they held ends with their leases."""
    ids = streams.filter(worker__host=socket.gethostname()).values("worker")
    for worker in Worker.objects.using(streams.db).filter(pk__in=ids):
        if not Path(f"/proc/{worker.pid}").exists():
            Stream.objects.using(streams.db).filter(worker=worker).delete()
