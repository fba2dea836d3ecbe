"""Database connections on threads that no request cleans up after."""

from collections.abc import Callable
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections, connections


def with_connection(function: Callable[..., Any], *args: Any) -> Any:
    """Calls `function`; afterwards the thread's connections are as after a request: given back to
    the pool, or kept if they last and work."""
    close_old_connections()
    try:
        return function(*args)
    except (DatabaseError, InterfaceError):
        connections.close_all()
        raise
    finally:
        close_old_connections()
