"""The sequencer: numbers what was committed, and hands it to the broker."""

import logging
import threading
from collections.abc import Callable
from functools import cache

from django.core import mail
from django.db import DatabaseError, InterfaceError, connections
from django.utils.crypto import salted_hmac

from realtime import brokers, failpoints, location, log
from realtime.brokers import Broker
from realtime.conf import settings
from realtime.database.connections import hurried
from realtime.events import Batch, EventId
from realtime.pulse import Pulse

logger = logging.getLogger(__name__)


_running: "Sequencer | None" = None


@cache
def broker() -> Broker:
    """The broker of this process: that of ``REALTIME_BROKER_URL``; without it, the log's own
    database if it is PostgreSQL, which then tells the other processes. In tests there are none of
    these, and a database that one of our connections was left to could not be dropped."""
    # Projects that share a server don't hear each other: their keys differ.
    topic = f"realtime:{salted_hmac('realtime.broker', 'topic').hexdigest()[:16]}"
    return brokers.connect(
        settings.BROKER_URL or ("" if _are_tests() else location.address()), topic
    )


def _are_tests() -> bool:
    # Django's test runner and pytest-django keep mails there, and nobody else does.
    return hasattr(mail, "outbox")


def committed(numbered: Batch) -> None:
    """Publishes what was just committed. What has no numbers yet is given them first: by this
    process's sequencer if it runs one, else here and now. If something goes wrong, a tick of some
    worker does it."""
    failpoints.reach("log.committed")
    running = _running
    if numbered.events:
        _publish(numbered)
    elif running is not None:
        running.wake()
    else:
        advance()


def advance() -> EventId | None:
    """Numbers and publishes everything that waits; answers the last position it gave, if any."""
    return _advance() if log.waits() else None


def _advance() -> EventId | None:
    last = None
    while (batch := log.sequence()).events:
        _publish(batch)
        last = batch.events[-1].id
        # Whoever commits meanwhile has it numbered.
        if len(batch.events) < log.BATCH:
            break
    return last


def _publish(batch: Batch) -> None:
    failpoints.reach("log.numbered")
    broker().publish(batch)


class Sequencer(threading.Thread):
    """Advances the log when woken, and at every tick: who should have woken it may have died.

    It keeps a connection of its own, so that requests that use up all others don't delay delivery.
    After each round it calls `follow` with the last position that it has numbered itself, if any,
    on its own thread.
    """

    def __init__(self, follow: Callable[[EventId | None], None]) -> None:
        super().__init__(name="realtime-sequencer", daemon=True)
        self._follow = follow
        self.pulse = Pulse()
        self._woken = threading.Event()
        self._stopping = False

    def start(self) -> None:
        global _running
        _running = self
        super().start()

    def stop(self) -> None:
        """Ends the thread after one more round, and waits for it."""
        global _running
        _running = None
        self._stopping = True
        self.wake()
        self.join(timeout=5)

    def wake(self) -> None:
        """Starts a round at once."""
        self._woken.set()

    def run(self) -> None:
        with hurried():
            while not self._stopping:
                self._woken.wait(settings.TICK)
                self._woken.clear()
                self._round()
            connections.close_all()

    def _round(self) -> None:
        try:
            waits = log.waits()
            self.pulse.answer()
            self._follow(_advance() if waits else None)
        except (DatabaseError, InterfaceError) as error:
            # The next tick tries again; nothing is lost, the log waits.
            logger.warning("The log can't be advanced: %s", error)
            self.pulse.fail(error)
            connections.close_all()
        except Exception as error:
            # A thread that died here would end all delivery, silently.
            logger.exception("A round of the sequencer failed")
            self.pulse.fail(error)
        else:
            self.pulse.finish()
