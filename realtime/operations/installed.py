"""For commands: what is said instead of a traceback where the log can't be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, connections

from realtime import log, unmigrated
from realtime.plain import reason


@contextmanager
def log_expected() -> Iterator[None]:
    """Raises `CommandError` for what a database refuses, with a line that says what to do."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        lack = unmigrated.told(connections[log.database()])
        raise CommandError(lack or f"The database can't be used: {reason(error)}.") from error
