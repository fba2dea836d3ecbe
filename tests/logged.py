"""Events in the log, with their numbers, whichever database gives these when."""

from collections.abc import Iterable

from realtime import log
from realtime.events import Event


def logged(events: Iterable[Event]) -> tuple[Event, ...]:
    """Writes events into the log; they, as they are numbered."""
    return log.append(events).events or log.sequence().events
