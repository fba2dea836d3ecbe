"""Why somebody was refused, as it is counted."""

from django.db import InterfaceError, OperationalError
from rest_framework import exceptions

from realtime import meters
from realtime.pusher import codes

_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ParseError, "malformed"),
    (exceptions.NotAuthenticated, "unauthenticated"),
    (exceptions.AuthenticationFailed, "unauthenticated"),
    (exceptions.PermissionDenied, "forbidden"),
    (exceptions.NotAcceptable, "not_acceptable"),
    (exceptions.Throttled, "quota"),
    (OperationalError, "unavailable"),
    (InterfaceError, "unavailable"),
)


def count(error: Exception) -> None:
    """Counts a request for a connection that was refused by this error."""
    reasons = (reason for kind, reason in _REASONS if isinstance(error, kind))
    meters.count(meters.REFUSED.slot(next(reasons, "other")))


def count_code(code: int) -> None:
    """Counts a WebSocket that was closed by this code at once."""
    meters.count(meters.REFUSED.slot("quota" if code == codes.QUOTA else "protocol"))
