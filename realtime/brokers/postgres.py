"""The broker between processes that share a PostgreSQL, by NOTIFY and LISTEN."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from realtime.brokers.remote import PATIENCE, PING_INTERVAL, RemoteBroker
from realtime.conf import settings

logger = logging.getLogger(__name__)

_OPTIONS = {"connect_timeout": "5", "application_name": "realtime broker"}
# Poolers that give each transaction another connection know nothing of prepared statements.
_CONNECTION: dict[str, Any] = {"autocommit": True, "prepare_threshold": None}


class PostgresBroker(RemoteBroker):
    """Sends to all who listen to the same `topic` of the database that `conninfo` names.

    It takes a direct connection: a pooler that gives each transaction another one loses messages,
    and then the log has to do.
    """

    # NOTIFY takes less than 8,000 bytes.
    size_limit = 7900

    def __init__(self, conninfo: str, topic: str) -> None:
        super().__init__()
        self._conninfo = psycopg.conninfo.make_conninfo(
            conninfo, tcp_user_timeout=int(PATIENCE * 1000), **_OPTIONS
        )
        self._topic = topic

    @contextmanager
    def connect(self) -> Iterator[Callable[[str], object]]:
        with psycopg.connect(self._conninfo, **_CONNECTION) as connection:
            yield lambda message: connection.execute(
                "SELECT pg_notify(%s, %s)", (self._topic, message)
            )

    async def messages(self) -> AsyncGenerator[str | bytes, None]:
        connection = await psycopg.AsyncConnection.connect(self._conninfo, **_CONNECTION)
        async with connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._topic)))
            await _warn_of_pooler(connection)
            self.heard = time.monotonic()
            yield ""
            while True:
                async for notification in connection.notifies(timeout=PING_INTERVAL):
                    self.heard = time.monotonic()
                    yield notification.payload
                async with asyncio.timeout(PATIENCE):
                    await connection.execute("SELECT")
                self.heard = time.monotonic()

    def describe(self) -> str:
        return "PostgreSQL's NOTIFY; other processes hear of changes within milliseconds"


async def _warn_of_pooler(connection: psycopg.AsyncConnection[Any]) -> None:
    """A pooler tells its clients of processes that are not PostgreSQL's."""
    cursor = await connection.execute("SELECT pg_backend_pid()")
    if await cursor.fetchone() != (connection.info.backend_pid,):
        logger.warning(
            "The broker's URL leads to a pooler: unless that gives each client a connection of its"
            " own, what other processes change is only found within %g s. Set REALTIME_BROKER_URL"
            " to a direct URL, or to a redis:// one.",
            settings.TICK,
        )
