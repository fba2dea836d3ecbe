"""This project as on a PaaS: PostgreSQL, Redis, several workers."""

import tempfile
from pathlib import Path

from benchmarks.accounting import family
from benchmarks.peers.ours import WithWorkers
from tests.services import POSTGRESQL, Postgres


class InProduction(WithWorkers):
    """With a PostgreSQL of its own, which counts as part of it."""

    def __init__(self, workers: int, users: int, **environ: str) -> None:
        super().__init__(workers, users, **environ)
        self._postgres: Postgres | None = None

    @classmethod
    def missing(cls) -> str:
        return "" if POSTGRESQL else "there is no PostgreSQL"

    def start(self) -> None:
        # Another user's, who can't look into the folder of this peer.
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        Path(self._folder.name).chmod(0o755)
        self._postgres = Postgres(Path(self._folder.name)).start()
        self.server.environ["DATABASE_URL"] = self._postgres.create("bench")
        super().start()

    def pids(self) -> list[int]:
        return [*super().pids(), *(family(self._postgres.pid) if self._postgres else [])]

    def stop(self) -> None:
        super().stop()
        if self._postgres is not None:
            self._postgres.stop()
            self._folder.cleanup()
