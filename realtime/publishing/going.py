"""The writes of an instance that are going on, one within the other, each with its watch.

Django sends a write's two signals with the same instance: what is kept of it in between is kept
there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db.models import Model

from realtime.publishing.watch import Targets, Watch

_NAME = "_realtime_watches"


def begin(instance: Model, watch: Watch, wanted: Targets) -> None:
    """Before a write: a receiver may begin another one before this one ends."""
    vars(instance).setdefault(_NAME, []).append((watch, wanted))


def end(instance: Model) -> tuple[Watch, Targets] | None:
    """After a write: what it began with, unless its first signal was muted."""
    watches: list[tuple[Watch, Targets]] | None = vars(instance).get(_NAME)
    if not watches:
        return None
    last = watches.pop()
    if not watches:
        del vars(instance)[_NAME]
    return last


@contextmanager
def nothing_left(instance: Model) -> Iterator[None]:
    """Forgets what has begun within it, if it fails."""
    depth = len(vars(instance).get(_NAME, ()))
    try:
        yield
    except BaseException:
        while len(vars(instance).get(_NAME, ())) > depth:
            end(instance)
        raise
