"""Authorizations: on whose grounds this project signed what a connection subscribes or signs in by.

A signature of Pusher's protocol never ends, and says nothing of who asked for it. So each one that
the authorization endpoints give out is remembered with the grant of that request, for as long as
its connection may last: whoever holds the connection asks for the grant, and checks it as a
stream's. A signature that is not remembered was made elsewhere, by who has the secret.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta

from django.utils import timezone

from realtime.database.chunks import chunked
from realtime.log import database
from realtime.models import Authorization
from realtime.rights.grants import Grant

RENEWAL = 60 * 60.0
"""Seconds between two calls of `renew` by who holds connections."""

# Long enough for a night without a database. Forgotten too early, a signature would pass for one
# that was made elsewhere, on nobody's grounds.
_MAX_AGE = timedelta(days=1)


def remember(auth: str, grant: Grant, socket_id: str) -> None:
    """Notes that `auth`, which has just been signed for a connection, holds as long as `grant`.

    The same text may be signed again, perhaps for somebody else: then the newest grant counts.
    """
    rows = Authorization.objects.using(database())
    rows.filter(expires_at__lte=timezone.now()).delete()
    row = Authorization(
        digest=_digest(auth), grant=grant.dump(), socket_id=socket_id, expires_at=_expiry()
    )
    rows.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["digest"],
        update_fields=["grant", "expires_at"],
    )


def grant_for(auth: str) -> Grant | None:
    """The grant on which `auth` was signed here; whether it still holds is for the caller to ask.
    None for a signature from elsewhere."""
    row = Authorization.objects.using(database()).filter(digest=_digest(auth)).first()
    return Grant.load(row.grant) if row is not None else None


def renew(socket_ids: Collection[str]) -> None:
    """Keeps what was signed for these connections, which are open; to be called each `RENEWAL`."""
    rows = Authorization.objects.using(database())
    for chunk in chunked(socket_ids):
        rows.filter(socket_id__in=chunk).update(expires_at=_expiry())


def _expiry() -> datetime:
    return timezone.now() + _MAX_AGE


def _digest(auth: str) -> str:
    return hashlib.sha256(auth.encode("utf-8", "surrogatepass")).hexdigest()
