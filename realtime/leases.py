"""Whether workers live: each that has rows in the database says so every second.

One that has not been heard of for the length of a lease is declared lost by another, by a mark on
its row, and then what it held is removed. It may have been frozen only: when it comes back it finds
the mark, takes it off, and writes again what it still holds. Its lease has a new term then.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from datetime import timedelta

from django.db import OperationalError
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from realtime.database import locks
from realtime.log import database
from realtime.models import Member, Occupancy, Worker

RENEWAL = 1.0
"""Seconds between two signs of life of a worker that holds something."""
LEASE = timedelta(seconds=3)
FORGOTTEN = timedelta(minutes=1)
"""After so long, the row of a lost worker is of no use to anybody."""


class Lease:
    """The life of this worker, as the others see it. It asks the database: not for the event loop's
    thread."""

    def __init__(self) -> None:
        self.worker = Worker(id=secrets.token_hex(16), host=_host(), pid=os.getpid())
        self.term = 0
        """Changes whenever the worker may have been taken for lost meanwhile."""
        self._renewed = float("-inf")
        self._renewing = threading.Lock()

    def ensure(self) -> None:
        """Renews the lease, unless that was done a moment ago; of several threads, one does it for
        all."""
        if not self._renewing.acquire(timeout=locks.PATIENCE / 1000):
            raise OperationalError("another thread waits for the database")
        try:
            if time.monotonic() > self._renewed + RENEWAL:
                self.renew()
        finally:
            self._renewing.release()

    def renew(self) -> None:
        """Says that this worker lives."""
        rows = Worker.objects.using(database())
        if not rows.filter(pk=self.worker.pk, lost=False).update(seen_at=Now()):
            self.worker.seen_at = Now()
            rows.bulk_create(
                [self.worker],
                update_conflicts=True,
                unique_fields=["id"],
                update_fields=["seen_at", "lost"],
            )
            self.term += 1
        self._renewed = time.monotonic()


def silent() -> list[str]:
    """The workers whose lease is over, and who are not marked as lost."""
    rows = Worker.objects.using(database()).filter(lost=False, seen_at__lt=Now() - LEASE)
    return list(rows.values_list("pk", flat=True))


def declare_lost(workers: Iterable[str]) -> None:
    """Marks workers, except those that have been heard of again."""
    rows = Worker.objects.using(database()).filter(seen_at__lt=Now() - LEASE)
    for pk in workers:
        # One by one, so that no two who do this wait for each other.
        rows.filter(pk=pk).update(lost=True)


def any_lost() -> bool:
    """Whether there are workers that are marked."""
    return Worker.objects.using(database()).filter(lost=True).exists()


def dead_here() -> list[str]:
    """The workers that were processes of this machine and have died: nobody needs to wait for their
    leases to end."""
    rows = Worker.objects.using(database()).filter(host=_host(), lost=False)
    return [pk for pk, pid in rows.values_list("pk", "pid") if not _runs(pid)]


def _host() -> str:
    """Where a process id means the same process: containers of one machine may share its name."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def tidy() -> None:
    """Deletes the rows of workers that were lost long ago, once nothing that they held is left."""
    rows = Worker.objects.using(database()).filter(lost=True, seen_at__lt=Now() - FORGOTTEN)
    for model in (Member, Occupancy):
        rows = rows.exclude(Exists(model._base_manager.filter(worker=OuterRef("pk"))))
    rows.delete()
