"""The project's settings for servers that are to die or freeze at chosen points, and whose few
readers are served as thousands are.

``REALTIME_FAILPOINTS``, which the project itself refuses, names a folder. A file ``POINT.SIGNAL``
in it, as ``log.numbering.SIGKILL``, is for the first process that reaches that point: it takes the
file away, notes the moment in ``fallen``, and sends itself the signal.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

# Before the project's settings are read, which know no such variable.
folder = Path(os.environ.pop("REALTIME_FAILPOINTS"))

from api.settings import *  # noqa: E402, F403
from realtime import audience, failpoints  # noqa: E402

SIGNALS = (signal.SIGKILL, signal.SIGSTOP)


def fall(point: str) -> None:
    """Dies or freezes if that is wanted here; of several processes only one does."""
    for number in SIGNALS:
        with suppress(FileNotFoundError):
            (folder / f"{point}.{number.name}").unlink()
            with (folder / "fallen").open("a") as notes:
                notes.write(f"{os.getpid()} {time.monotonic()}\n")
            os.kill(os.getpid(), number)


failpoints.arm(fall)
# A few readers are served as thousands are.
audience.FEW = 0
