"""The figures of all workers of a gunicorn, of those that live and those that have died.

Each worker has a file in a folder of the master's (``realtime.meters``), which it locks while it
lives. Before the master starts another one, it adds what those have counted that have ended to the
sums of the dead, and removes their files; so no count ever falls, whatever becomes of a worker, and
the folder does not grow.

Readers take no lock, for one that stands still would hold up the master: whoever has read the
folder looks whether the sums of the dead are still the same, and else reads it again.
"""

import atexit
import fcntl
import json
import os
import secrets
import shutil
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from realtime import meters
from realtime.meters import GAUGE, Family

_PREFIX = "realtime-metrics-"
_NEW = 60.0
"""Seconds in which somebody who has made a folder also locks it: until then, it is not dead."""
_SUMS = "sums.json"
_SUFFIX = ".values"
_ATTEMPTS = 20

_MERGES: dict[str, Callable[[list[float]], float]] = {"sum": sum, "max": max, "min": min}

_joined: "Pool | None" = None
_own: "Pool | None" = None
"""The one that this master has made."""


@dataclass(frozen=True, slots=True)
class _Dead:
    """What all processes have counted that have ended."""

    values: list[float]
    files: list[str]
    """Files that are among them, and may still be there."""


class Pool:
    """The folder of one gunicorn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def join(self) -> None:
        """Has the process that calls it keep its figures here; before it counts anything."""
        global _joined
        meters.share(self.folder / f"{os.getpid()}-{secrets.token_hex(4)}{_SUFFIX}")
        _joined = self

    def bury(self) -> None:
        """Adds up what processes have left that have ended. Only for the master."""
        dead = self._dead()
        files = [path for path in self._files() if path.name not in dead.files and not _lives(path)]
        if not files:
            return
        values = _added([dead.values, *map(_read, files)])
        left = [name for name in dead.files if (self.folder / name).exists()]
        new = self.folder / f"{_SUMS}.new"
        # On a full disk, the files stay: they are read as they are.
        with suppress(OSError):
            new.write_text(json.dumps([values, [*left, *(path.name for path in files)]]))
            new.replace(self.folder / _SUMS)
            for path in files:
                path.unlink()

    def remove(self) -> None:
        """Removes the folder; whatever still counts goes on in vain."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def figures(self) -> list[float]:
        """All figures, by their places: counts of all there have been, gauges of those that live
        and serve."""
        for _ in range(_ATTEMPTS):
            dead = self._dead()
            living, ended = self._processes(dead)
            if self._dead() == dead:
                break
        return _merged(living, [*ended, dead.values])

    def _processes(self, dead: _Dead) -> tuple[list[list[float]], list[list[float]]]:
        living: list[list[float]] = []
        ended: list[list[float]] = []
        for path in self._files():
            if path.name not in dead.files:
                with suppress(FileNotFoundError):
                    # Whether it lives first: what it has counted is complete then, or it lives.
                    lives = _lives(path)
                    (living if lives else ended).append(_read(path))
        return living, ended

    def _files(self) -> list[Path]:
        return list(self.folder.glob(f"*{_SUFFIX}"))

    def _dead(self) -> _Dead:
        try:
            values, files = json.loads((self.folder / _SUMS).read_text())
        except FileNotFoundError:
            return _Dead(_added([]), [])
        return _Dead(values, files)


def create() -> Pool:
    """A pool for the gunicorn whose master calls this; removes those whose masters were killed."""
    parent = Path(tempfile.gettempdir())
    for old in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = old.stat()
            if (
                found.st_uid == os.getuid()
                and found.st_mtime < time.time() - _NEW
                and not _lives(old)
            ):
                shutil.rmtree(old)
    pool = Pool(Path(tempfile.mkdtemp(prefix=_PREFIX)))
    # Never closed: the kernel does that when the master and all of its workers have ended. So does
    # systemd, which tidies old temporary files away, know that they are in use.
    fcntl.flock(os.open(pool.folder, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_EX)
    return pool


def of_this_master() -> Pool:
    """The pool of the gunicorn whose master calls this before it starts a worker."""
    global _own
    if _own is None:
        # Once: after SIGHUP old and new workers count together, and no count falls.
        _own = create()
        atexit.register(_remove, _own, os.getpid())
    _own.bury()
    return _own


def _remove(pool: Pool, master: int) -> None:
    # Workers are forks, and end as it does.
    if os.getpid() == master:
        pool.remove()


def figures() -> list[float]:
    """Those of the pool that this process has joined; its own ones where it is alone."""
    return _merged([list(meters.values)], []) if _joined is None else _joined.figures()


def _lives(path: Path) -> bool:
    """Whether a process holds the lock of a file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read(path: Path) -> list[float]:
    found = array("d")
    data = path.read_bytes()
    # Shorter than it should be is one whose process has just begun.
    found.frombytes(data[: len(data) // 8 * 8])
    return [*found, *[0.0] * meters.SIZE][: meters.SIZE]


def _added(processes: Iterable[list[float]]) -> list[float]:
    return [sum(column) for column in zip([0.0] * meters.SIZE, *processes, strict=True)]


def _merged(living: list[list[float]], ended: list[list[float]]) -> list[float]:
    figures = _added([*living, *ended])
    serving = [values for values in living if values[meters.WORKERS.first]]
    for family in meters.families:
        if family is meters.CONNECTIONS:
            for transport in meters.TRANSPORTS:
                figures[family.slot(transport)] = sum(_open(values, transport) for values in living)
        elif family.kind == GAUGE:
            for slot in range(family.first, family.after):
                figures[slot] = _gauge(family, [values[slot] for values in serving])
    return figures


def _open(values: list[float], transport: str) -> float:
    """How many connections a process has that lives: those it has opened that have not ended."""
    ended = (values[meters.ENDED.slot(transport, reason)] for reason in meters.ENDINGS)
    return values[meters.OPENED.slot(transport)] - sum(ended)


def _gauge(family: Family, values: list[float]) -> float:
    return float(_MERGES[family.merge](values)) if values else 0.0
