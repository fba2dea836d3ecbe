"""What the API answers to errors that REST framework knows nothing of."""

import logging
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from rest_framework.exceptions import APIException, ParseError
from rest_framework.response import Response
from rest_framework.views import exception_handler

logger = logging.getLogger(__name__)

_READ_ONLY = "25006"
"""PostgreSQL's read_only_sql_transaction."""


class DatabaseAway(APIException):
    """The database is away, overloaded or locked: then trying again helps."""

    status_code = 503
    default_detail = "The database can't do that at the moment. Try again."
    wait = 1


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """As REST framework, and for what Django would answer by a page, or with a traceback in the
    log: a request that is too large or has too many fields, and a database that is away."""
    if isinstance(error, SuspiciousOperation):
        error = ParseError("The request is malformed or too large.")
    elif isinstance(error, (OperationalError, InterfaceError)) or _is_read_only(error):
        logger.warning("A request was turned away: %s", str(error).strip())
        error = DatabaseAway()
    return exception_handler(error, context)


def _is_read_only(error: Exception) -> bool:
    """Whether a database only answers questions for a while, as a standby does and a full disk."""
    return getattr(error.__cause__, "sqlstate", None) == _READ_ONLY
