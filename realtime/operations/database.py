"""Looks at the log's database: its kind, what of its settings matters, connections, clock."""

import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings as django_settings
from django.db import connections

from realtime import location, log, unmigrated
from realtime.conf import settings
from realtime.operations.findings import OK, PROBLEM, WARNING, Finding

_SKEW, _MUCH_SKEW = 1.0, 30.0
"""Seconds that clocks may differ."""
_ROOM = 3
"""Connections for a command or two beside the servers."""


def examine() -> Iterator[Finding]:
    """Raises a database's error if it can't be used at all."""
    connection = connections[log.database()]
    connection.ensure_connection()
    version = ".".join(map(str, connection.get_database_version()))
    yield Finding(OK, "database", f"{location.describe()}; version {version}.")
    yield from _migrations(connection)
    if connection.vendor == "postgresql":
        yield from _postgres(connection)
    elif connection.vendor == "sqlite":
        yield from _sqlite(connection)
    else:
        text = f"{connection.display_name} is not one that this was made for."
        yield Finding(PROBLEM, "database", text, "Use PostgreSQL or SQLite.")


def _migrations(connection: Any) -> Iterator[Finding]:
    if lack := unmigrated.lack(connection):
        yield Finding(PROBLEM, "database", lack, unmigrated.ADVICE)


def _sqlite(connection: Any) -> Iterator[Finding]:
    mode = _value(connection, "PRAGMA journal_mode")
    if mode != "wal":
        yield Finding(
            WARNING,
            "database",
            f"Its journal mode is {mode}: who reads waits for who writes.",
            "Run once: PRAGMA journal_mode=WAL",
        )
    if connection.settings_dict["OPTIONS"].get("timeout", 5) < 5:
        yield Finding(
            WARNING, "database", "Writers lose patience within 5 s.", "Raise OPTIONS['timeout']."
        )


def _postgres(connection: Any) -> Iterator[Finding]:
    if _value(
        connection, "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool"
    ):
        yield Finding(
            PROBLEM, "database", "It takes no writes.", "Have DATABASES lead to the primary server."
        )
    isolation = _value(connection, "SHOW transaction_isolation")
    if isolation != "read committed":
        yield Finding(
            PROBLEM,
            "database",
            f"Transactions are isolated as '{isolation}': the sequencer would miss events.",
            "Set default_transaction_isolation = 'read committed'.",
        )
    limit = _value(
        connection, "SELECT setting::int FROM pg_settings WHERE name = 'statement_timeout'"
    )
    if 0 < limit < 1000:
        yield Finding(
            WARNING, "database", f"statement_timeout is {limit} ms.", "Give it a second or more."
        )
    yield from _clock(connection)
    yield from _connections(connection)


def _clock(connection: Any) -> Iterator[Finding]:
    before = time.time()
    there = float(_value(connection, "SELECT extract(epoch FROM clock_timestamp())::float8"))
    skew = there - (before + time.time()) / 2
    if abs(skew) > _SKEW:
        level = PROBLEM if abs(skew) > _MUCH_SKEW else WARNING
        text = f"The database's clock and this machine's differ by {abs(skew):.1f} s."
        yield Finding(level, "clock", text, "Have both set by NTP (systemd-timesyncd).")
    else:
        yield Finding(OK, "clock", f"Within {abs(skew) * 1000:.0f} ms of the database's.")


def _connections(connection: Any) -> Iterator[Finding]:
    backend = _value(connection, "SELECT pg_backend_pid()")
    if backend != connection.connection.info.backend_pid:
        yield Finding(OK, "database", "Reached through a pooler, which has limits of its own.")
        if not settings.BROKER_URL:
            yield Finding(
                WARNING,
                "broker",
                "LISTEN does not work through a pooler that gives each transaction a connection.",
                "Set REALTIME_BROKER_URL to a direct postgres:// URL, or to a redis:// one.",
            )
        return
    most = _value(
        connection,
        "SELECT current_setting('max_connections')::int"
        " - current_setting('superuser_reserved_connections')::int",
    )
    in_use = _value(
        connection, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
    )
    need = _needed(connection)
    text = f"Direct; a server takes up to {need} connections, {in_use} of {most} are in use."
    if need + _ROOM > most:
        advice = "Have fewer workers or a smaller pool, or raise max_connections."
        yield Finding(PROBLEM, "connections", text, advice)
    elif 2 * need + _ROOM > most:
        advice = "Two servers at once, as while a new version starts, have no room."
        yield Finding(WARNING, "connections", text, advice)
    else:
        yield Finding(OK, "connections", text)


def _needed(connection: Any) -> int:
    """Connections of one server's workers."""
    pool = connection.settings_dict["OPTIONS"].get("pool")
    # A command has no pool itself.
    each = getattr(django_settings, "DATABASE_POOL_SIZE", None) or (
        pool.get("max_size") or pool.get("min_size", 4)
        if isinstance(pool, dict)
        else settings.THREADS + 4
    )
    if not settings.BROKER_URL.startswith(("redis", "unix")):
        each += 2
    return int(each) * int(getattr(django_settings, "WEB_CONCURRENCY", 1))


def _value(connection: Any, statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]
