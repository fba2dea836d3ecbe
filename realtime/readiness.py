"""Whether the log's database can be served from; asked when a worker starts."""

import asyncio
import logging
import sqlite3
from concurrent.futures import Executor
from typing import Any

from django.db import DatabaseError, InterfaceError, connections

from realtime import location, log, unmigrated
from realtime.database.connections import with_connection
from realtime.events import EventId
from realtime.exceptions import DatabaseUnfit

logger = logging.getLogger(__name__)

_TIMEOUT = 3
"""Seconds that PostgreSQL may take to accept a connection."""

_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


async def position(executor: Executor) -> EventId:
    """The log's head, once the database is there. Raises `DatabaseUnfit` if waiting won't help."""
    loop = asyncio.get_running_loop()
    said = ""
    while True:
        try:
            return await loop.run_in_executor(executor, with_connection, _position)
        except (DatabaseError, InterfaceError) as error:
            reason = " ".join(str(error).split())
            if reason != said:
                logger.warning("The database can't be used, waiting for it: %s", reason)
            said = reason
            await asyncio.sleep(1)


def _position() -> EventId:
    connection = connections[log.database()]
    try:
        _reach(connection)
        _require_migrations(connection)
        return log.head()
    except DatabaseError as error:
        if connection.vendor == "sqlite" and not _passes(error):
            name = connection.settings_dict["NAME"]
            reason = f"SQLite can't use {name}: {error}. May this user write to the file's folder?"
            raise DatabaseUnfit(reason) from error
        raise


def _reach(connection: Any) -> None:
    # Past the pool, whose errors only say that no connection came in time, and not why.
    if connection.vendor == "postgresql":
        with connection.wrap_database_errors:
            connection.Database.connect(location.address(), connect_timeout=_TIMEOUT).close()


def _require_migrations(connection: Any) -> None:
    if lack := unmigrated.lack(connection):
        raise DatabaseUnfit(f"{lack} {unmigrated.ADVICE}")


def _passes(error: DatabaseError) -> bool:
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _PASSING
