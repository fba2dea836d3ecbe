"""Database connections on threads that no request cleans up after, and that others wait for."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connections

ANSWER = 4.0
"""Seconds in which the database has to answer them: then the connection is given up for another
one. TCP finds out by itself only if the machine at the other end is gone."""

_thread = threading.local()


def patience() -> float | None:
    """How many seconds this thread waits for an answer; None for as long as it takes."""
    found: float | None = getattr(_thread, "patience", None)
    return found


@contextmanager
def hurried() -> Iterator[None]:
    """Within it, this thread waits for no answer longer than `ANSWER`."""
    before, _thread.patience = patience(), ANSWER
    try:
        yield
    finally:
        _thread.patience = before


def with_connection(function: Callable[..., Any], *args: Any) -> Any:
    """Calls `function`; afterwards the thread's connections are as after a request: given back to
    the pool, or kept if they last and work."""
    with hurried():
        close_old_connections()
        try:
            return function(*args)
        except (DatabaseError, InterfaceError):
            connections.close_all()
            raise
        finally:
            close_old_connections()
