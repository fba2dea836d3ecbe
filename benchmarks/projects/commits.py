"""Notes when each transaction of this process was committed: what a delay is counted from."""

import os
import time
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def note_commits(path: str) -> None:
    """From now on, writes a line for each commit into a file: seconds of the monotonic clock, which
    all processes of a machine share."""
    target = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    commit = BaseDatabaseWrapper._commit

    def noting(self: Any) -> Any:
        answer = commit(self)
        os.write(target, b"%.9f\n" % time.monotonic())
        return answer

    BaseDatabaseWrapper._commit = noting
