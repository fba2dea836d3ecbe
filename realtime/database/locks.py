"""How long one waits for others' locks in the database, and others for one's own."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connections

PATIENCE = 1000
"""Milliseconds that the impatient wait for a lock."""
LONG_PATIENCE = 2000
"""The same, where no client waits."""
_MAX_PAUSE = 2
"""Seconds that may pass between two statements of who holds a lock that others wait for."""


def limit_pauses(alias: str) -> None:
    """Has PostgreSQL end this transaction when this process is frozen in the middle of it: all
    others wait for its lock."""
    if connections[alias].vendor == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{_MAX_PAUSE}s'")


def take(alias: str, names: Iterable[str], *, patient: bool = True) -> None:
    """Lets one process at a time do what these names stand for, until its transaction ends. On
    SQLite it does so already: the transaction has the only write lock."""
    if connections[alias].vendor != "postgresql":
        return
    with connections[alias].cursor() as cursor:
        if not patient:
            cursor.execute(f"SET LOCAL lock_timeout = {PATIENCE}")
        # In one order for all, so that no two wait for each other.
        cursor.execute(
            "SELECT pg_advisory_xact_lock(key) FROM ("
            "SELECT DISTINCT hashtextextended(name, 0) AS key FROM unnest(%s::text[]) AS name"
            " ORDER BY key) AS keys",
            [list(names)],
        )


@contextmanager
def impatience(alias: str, milliseconds: int | None = None) -> Iterator[None]:
    """On SQLite, waits for the write lock less long than other writers do."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    usual = int(connection.settings_dict["OPTIONS"].get("timeout", 5) * 1000)
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds or PATIENCE}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {usual}")


def clock(alias: str) -> float:
    """The time of day, in seconds, as all who may hold a lock of this database have it."""
    if connections[alias].vendor != "postgresql":
        return time.time()
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        return float(cursor.fetchone()[0])
