"""Whether the log's database can be served from; asked when a worker starts."""

import sqlite3
from typing import Any

from django.db import OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from realtime import log
from realtime.events import EventId
from realtime.exceptions import DatabaseUnfit

_TIMEOUT = 3
"""Seconds that PostgreSQL may take to accept a connection."""

_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def first_position() -> EventId:
    """The log's head, once the database is there and migrated.

    Raises `DatabaseUnfit` if waiting won't help, else Django's DatabaseError or InterfaceError.
    """
    connection = connections[log.database()]
    try:
        _reach(connection)
        _require_migrations(connection)
        return log.head()
    except OperationalError as error:
        if connection.vendor == "sqlite" and not _passes(error):
            name = connection.settings_dict["NAME"]
            reason = f"SQLite can't use {name}: {error}. May this user write to the file's folder?"
            raise DatabaseUnfit(reason) from error
        raise


def _reach(connection: Any) -> None:
    # Past the pool, whose errors only say that no connection came in time, and not why.
    if connection.vendor == "postgresql":
        with connection.wrap_database_errors:
            connection.Database.connect(log.address(), connect_timeout=_TIMEOUT).close()


def _require_migrations(connection: Any) -> None:
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise DatabaseUnfit(
            f"The database lacks {len(plan)} migrations, from {plan[0][0]} on."
            " Run: python manage.py migrate"
        )


def _passes(error: OperationalError) -> bool:
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _PASSING
