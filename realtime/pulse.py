"""Whether the log is being served: when the database last answered the sequencer, and when that
last got through a round; how long the hub has been behind the log.

Written by the sequencer's thread, read from any: each value is set in one step.
"""

import time
from collections.abc import Callable

from realtime.events import EventId


class Pulse:
    """Of one sequencer."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        now = clock()
        self.answered = now
        """When the database last answered."""
        self.finished = now
        """When a round last ended well."""
        self.error: Exception | None = None
        """How the last round ended, if it did not end well."""
        self.head: EventId | None = None
        self.floor: EventId | None = None
        self._behind: tuple[int, float] | None = None

    def answer(self) -> None:
        """The database has answered."""
        self.answered = self._clock()

    def finish(self) -> None:
        """A round has ended well."""
        self.finished = self._clock()
        self.error = None

    def fail(self, error: Exception) -> None:
        """A round has ended by an error."""
        self.error = error

    def see(self, head: EventId, floor: EventId, dispatched: int) -> None:
        """Notes how far the log is, and up to which number the hub has handed it out."""
        self.head, self.floor = head, floor
        if self._behind is None or dispatched >= self._behind[0]:
            self._behind = (head.seq, self._clock()) if dispatched < head.seq else None

    def behind(self, dispatched: int) -> float:
        """For how many seconds, at least, the hub has been without something; 0 if it is not."""
        waiting = self._behind
        if waiting is None or dispatched >= waiting[0]:
            return 0.0
        return self._clock() - waiting[1]
