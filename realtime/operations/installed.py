"""For commands: what is said instead of a traceback where the log can't be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError, InterfaceError, connections
from django.db.migrations.executor import MigrationExecutor

from realtime import log
from realtime.plain import one_line


@contextmanager
def log_expected() -> Iterator[None]:
    """Raises `CommandError` for what a database refuses, with a line that says what to do."""
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        reason = one_line(" ".join(str(error).split()))
        text = f"The database can't be used: {reason}."
        if _lacks_migrations():
            text = "The database has not been migrated. Run: python manage.py migrate"
        raise CommandError(text) from error


def _lacks_migrations() -> bool:
    try:
        executor = MigrationExecutor(connections[log.database()])
        return bool(executor.migration_plan(executor.loader.graph.leaf_nodes("realtime")))
    except (DatabaseError, InterfaceError):
        return False
