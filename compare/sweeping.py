"""Deletes the lists that nobody has deleted: of pages that were closed by a crash, and of servers
that have crashed since."""

import logging
import threading
import time
from datetime import timedelta
from typing import Any

from django.core.signals import request_started
from django.db import DatabaseError, InterfaceError

from compare.models import LIFETIME, Scratch
from realtime.database.connections import with_connection

logger = logging.getLogger(__name__)

_MARGIN = timedelta(seconds=1)


class Sweeper:
    """Has a thread as long as there are lists, and no other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = self._told = False

    def begin(self) -> None:
        """There may be lists: deletes each when its time is over."""
        with self._lock:
            self._told = True
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="sweeper", daemon=True).start()

    def _run(self) -> None:
        while self._is_needed():
            try:
                left = with_connection(Scratch.sweep)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Lists can't be swept, trying again: %s", str(error).strip())
                left = LIFETIME
            if left is not None:
                time.sleep((left + _MARGIN).total_seconds())
                self._told = True

    def _is_needed(self) -> bool:
        # In one step with the end of the thread: who tells it of a list meanwhile gets another.
        with self._lock:
            self._running, self._told = self._told, False
            return self._running


sweeper = Sweeper()
"""This process's own."""


def begin_with_first_request() -> None:
    """Looks for what was left before this process, once it has its database: before, it does not
    answer requests."""
    request_started.connect(_begin)


def _begin(**kwargs: Any) -> None:
    request_started.disconnect(_begin)
    sweeper.begin()
