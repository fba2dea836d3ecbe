"""Tickets: one-use rights to open a stream, for an EventSource of another origin.

Such an EventSource can send neither cookies nor headers, and a long-lived token in a URL would end
up in logs and histories. A ticket is worthless after its first use, and after half a minute.
"""

import hashlib
import secrets
from datetime import timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from realtime.conf import settings
from realtime.models import Ticket
from realtime.rights.grants import Grant, users

PARAMETER = "ticket"


def issue(grant: Grant) -> str:
    """A new ticket that opens a stream on the grounds of `grant`."""
    Ticket.objects.filter(expires_at__lte=timezone.now()).delete()
    ticket = secrets.token_urlsafe(24)
    expires_at = timezone.now() + timedelta(seconds=settings.TICKET_MAX_AGE)
    Ticket.objects.create(digest=_digest(ticket), grant=grant.dump(), expires_at=expires_at)
    return ticket


def redeem(ticket: str) -> Grant | None:
    """The grant of a ticket that is valid now; whoever comes second gets none."""
    row = Ticket.objects.filter(digest=_digest(ticket), expires_at__gt=timezone.now()).first()
    if row is None:
        return None
    used, _ = Ticket.objects.filter(digest=row.digest).delete()
    return Grant.load(row.grant) if used else None


def _digest(ticket: str) -> str:
    return hashlib.sha256(ticket.encode("utf-8", "surrogatepass")).hexdigest()


class TicketAuthentication(BaseAuthentication):
    """Authenticates a request by the ticket in its query."""

    def authenticate(self, request: Request):  # type: ignore[no-untyped-def]
        ticket = request.query_params.get(PARAMETER)
        if ticket is None:
            return None
        grant = redeem(ticket)
        user = users([grant]).get(grant) if grant else None
        if user is None:
            raise AuthenticationFailed("This ticket is not valid (any more): get a new one.")
        return user, grant

    def authenticate_header(self, request: Request) -> str:
        return "Ticket"
