"""A connection to PostgreSQL that gives up where somebody waits: for the pool's
``connection_class``. Without it, a server, pooler or tunnel that stands still but keeps its
connections open would stop a worker's delivery for as long."""

from collections.abc import Generator
from typing import Any, TypeVar

import psycopg

from realtime.database.connections import patience

T = TypeVar("T")


class Connection(psycopg.Connection[Any]):
    """psycopg's, that heeds its thread's `patience`; raises `psycopg.OperationalError` then, and is
    closed."""

    def wait(
        self, gen: Generator[Any, Any, T], interval: float = 0.1, timeout: float | None = None
    ) -> T:
        """As the base class, which waits for each of the server's answers by this."""
        try:
            return super().wait(gen, interval, patience() if timeout is None else timeout)
        except psycopg.errors._WaitTimeout as error:
            # Whatever it is at, nobody can know.
            self.pgconn.finish()
            raise psycopg.OperationalError("The database does not answer.") from error
