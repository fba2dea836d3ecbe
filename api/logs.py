"""What keeps the log readable while something is broken."""

import logging
import time

PAUSE = 60.0
"""Seconds for which a warning or error that has been logged is not logged again."""
_REMEMBERED = 1000


class Unrepeated(logging.Filter):
    """Lets each warning and error pass once a minute: while a database or Redis is away, everything
    that asks for it fails every second, in the same words."""

    def __init__(self) -> None:
        super().__init__()
        self._passed: dict[tuple[str, str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` is to be logged."""
        if record.levelno < logging.WARNING:
            return True
        error = record.exc_info[1] if record.exc_info else None
        key = record.name, record.getMessage(), repr(error)
        now = time.monotonic()
        if key in self._passed and now < self._passed[key] + PAUSE:
            return False
        if len(self._passed) >= _REMEMBERED:
            self._passed.clear()
        self._passed[key] = now
        return True
