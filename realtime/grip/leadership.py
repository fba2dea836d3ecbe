"""Which of all processes publishes to a GRIP proxy, and up to where it has done so."""

import hashlib
import secrets
import time
from datetime import timedelta

from django.db.models import Q
from django.db.models.functions import Now

from realtime.events import EventId
from realtime.log import database, head
from realtime.models import Proxy

RENEWAL = 1.0
"""Seconds between two signs of life of the holder."""
_LEASE = timedelta(seconds=4)
"""Longer than a renewal and a proxy's patience together: a slow proxy loses nobody the lease."""


class Leadership:
    """One process's lease on one proxy. Its methods ask the database."""

    def __init__(self, address: str) -> None:
        self._id = hashlib.sha256(address.encode()).hexdigest()
        self._holder = secrets.token_hex(16)
        self._renewed: float | None = None

    @property
    def held(self) -> bool:
        """Whether nobody else can have it yet."""
        limit = _LEASE.total_seconds() - RENEWAL
        return self._renewed is not None and time.monotonic() < self._renewed + limit

    def take(self) -> EventId | None:
        """Where the last holder has stopped, if that has let go or died; else None."""
        alias = database()
        rows = Proxy.objects.using(alias).filter(pk=self._id)
        if not rows.exists():
            now = head()
            row = Proxy(pk=self._id, seen_at=Now() - _LEASE * 2, seq=now.seq, nonce=now.nonce)
            Proxy.objects.using(alias).bulk_create([row], ignore_conflicts=True)
        asked = time.monotonic()
        free = rows.filter(Q(holder="") | Q(seen_at__lt=Now() - _LEASE))
        # Most of the time it is not: reading takes no lock.
        if not free.exists() or not free.update(holder=self._holder, seen_at=Now()):
            return None
        self._renewed = asked
        return EventId(*rows.values_list("seq", "nonce").get())

    def renew(self, position: EventId) -> bool:
        """Keeps it, and notes `position`, if that is due; False if somebody else has it."""
        asked = time.monotonic()
        if self._renewed is not None and asked < self._renewed + RENEWAL:
            return True
        self._renewed = asked if self._note(position, self._holder) else None
        return self._renewed is not None

    def release(self, position: EventId) -> None:
        """Lets go: whoever comes next goes on after `position`."""
        if self._renewed is not None:
            self._note(position, "")
            self._renewed = None

    def _note(self, position: EventId, holder: str) -> int:
        rows = Proxy.objects.using(database()).filter(pk=self._id, holder=self._holder)
        return rows.update(holder=holder, seen_at=Now(), seq=position.seq, nonce=position.nonce)
