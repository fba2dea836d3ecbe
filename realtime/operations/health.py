"""Whether a worker serves as it should: its database, the log, and the broker.

Nothing is asked for it. The sequencer asks the database several times a second and the broker's
listener its server every second, each within limits of its own: here is looked when that last went
well. So the answer comes at once, also while the database or Redis stand still, and costs neither a
thread nor a connection, however often somebody asks.
"""

import sqlite3
import time

from django.db import InterfaceError, OperationalError

from realtime import sequencer
from realtime.conf import settings
from realtime.worker import Worker

_SILENT = 3.0
"""Seconds, beside a tick, after which what has not answered counts as failing,"""
_FAILING = 1.0
"""and after which it does if it has answered by an error."""
_BEHIND = 3.0
"""Seconds for which the hub may be behind the log."""

_WORDS = {
    "28": "It refuses this project's login.",
    "3D": "There is no such database.",
    "53": "It is out of connections, memory or disk.",
    "57": "It is starting or ending.",
    "25": "It takes no writes.",
    "42": "It lacks tables; was it migrated?",
}
"""By classes of PostgreSQL's error codes."""

_REACHING = "It can't be reached; the log of this process says why."


def starting() -> dict[str, str]:
    """What fails in a process that waits for its database."""
    waiting = "It waits for the database."
    return {"database": _REACHING, "log": waiting, "broker": waiting}


def failures(worker: Worker) -> dict[str, str]:
    """What is wrong with each part, in words for everybody; empty where nothing is."""
    return {
        "database": _database(worker),
        "log": _log(worker),
        "broker": sequencer.broker().trouble(),
    }


def _database(worker: Worker) -> str:
    pulse = worker.pulse
    age = time.monotonic() - pulse.answered
    if pulse.error is not None and age > _FAILING:
        return _in_words(pulse.error)
    if age > _SILENT + settings.TICK:
        return f"It has not answered for {age:.0f} s."
    return ""


def _log(worker: Worker) -> str:
    pulse = worker.pulse
    age = time.monotonic() - pulse.finished
    if age > (_FAILING if pulse.error else _SILENT + settings.TICK):
        return f"The sequencer has got through no round for {age:.0f} s."
    if (behind := pulse.behind(worker.hub.position.seq)) > _BEHIND:
        return f"This worker has been behind the log for {behind:.0f} s."
    return ""


def _in_words(error: Exception) -> str:
    """What is wrong, without the names and addresses that a database's own words have."""
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or ""
    if words := _WORDS.get(code[:2]):
        return words
    if isinstance(cause, sqlite3.Error):
        return f"SQLite fails: {getattr(cause, 'sqlite_errorname', 'unknown')}."
    if isinstance(error, OperationalError | InterfaceError):
        return _REACHING
    return f"It fails ({type(error).__name__}); the log of this process says why."
