"""A trial: writers and replicas at work on servers that share a database, and the verdict."""

import json
import time
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.oracle.ledger import Channels, Ledger, Misfit, expected
from tests.oracle.replica import Replica, seq
from tests.oracle.telling import WriterProcess
from tests.servers import Server, wait_until

USERS = ("alice", "bob", "carol", "dave")
STREAMS = {"REALTIME_KEEP_ALIVE": "1", "REALTIME_MAX_STREAMS_PER_USER": "1000"}
"""What servers need for it."""


def cluster(
    make_server: Callable[..., Server], count: int, points: Path, **environ: Any
) -> list[Server]:
    """Servers that share a database, with two workers each, whose processes fall at the points that
    are armed in a folder; with little memory, so that they have to read the log often."""
    environ |= STREAMS | {
        "WEB_CONCURRENCY": "2",
        "REALTIME_RING": "256",
        "REALTIME_REPLAY_PAGE": "200",
        "DJANGO_SETTINGS_MODULE": "tests.torture.settings",
        "REALTIME_FAILPOINTS": str(points),
    }
    first = make_server(**environ)
    environ["DATABASE_URL"] = first.environ["DATABASE_URL"]
    environ.pop("postgres", None)
    return [first, *(make_server(**environ) for _ in range(count - 1))]


class Row(NamedTuple):
    """An event in the log."""

    seq: int | None
    nonce: str
    channel: str
    type: str
    data: str
    changed: str
    created_at: Any

    @property
    def id(self) -> str:
        return f"{self.seq}-{self.nonce}"


class Trial:
    """Replicas of all users, writers by ORM and by REST."""

    def __init__(
        self,
        servers: Sequence[Server],
        *,
        replicas: int,
        orm: int,
        rest: int,
        breaks: float = 0.01,
        silence: float = 60,
    ) -> None:
        self._server = servers[0]
        self._server.shell(
            "from django.contrib.auth.models import User\n"
            "for name in ('carol', 'dave'): User.objects.create_user(name, password='realtime')"
        )
        tokens = {name: self._server.token(name) for name in USERS}
        urls = [server.url for server in servers]
        self.replicas = [
            Replica(
                urls[n % len(urls) :] + urls[: n % len(urls)],
                (name := USERS[n % len(USERS)]), tokens[name], n, breaks=breaks, silence=silence,
            )
            for n in range(replicas)
        ]  # fmt: skip
        joined = [",".join(parts) for parts in (tokens.values(), urls)]
        self.writers = [
            WriterProcess("writer", str(n), environ=self._server.environ) for n in range(orm)
        ] + [
            WriterProcess("poster", str(n), *joined, environ=self._server.environ)
            for n in range(rest)
        ]

    def start(self) -> Self:
        for replica in self.replicas:
            replica.start()
        for writer in self.writers:
            writer.start()
        return self

    @property
    def mutations(self) -> int:
        """How many have been made, of which it is known whether they were committed."""
        self.check_alive()
        return sum(writer.count for writer in self.writers)

    def check_alive(self) -> None:
        """Raises what has ended a replica or a writer."""
        for replica in self.replicas:
            if replica.failure:
                raise replica.failure
        for writer in self.writers:
            assert not writer.failure, writer.failure

    def end(self, *, quiet: float = 0.0) -> "Verdict":
        """Ends the writers, lets the replicas catch up and then hear nothing for `quiet` seconds,
        and compares."""
        for writer in self.writers:
            writer.stop()
        for replica in self.replicas:
            replica.calm()
        wait_until(self._have_caught_up, "all replicas to catch up", timeout=60)
        wait_until(_passed(time.monotonic() + quiet), "quiet", timeout=quiet + 60)
        fresh = [replica.fresh() for replica in self.replicas]
        for replica in self.replicas:
            replica.stop()
        self.check_alive()
        log = self._log()
        return Verdict(self.replicas, fresh, log)

    def _have_caught_up(self) -> bool:
        self.check_alive()
        ((waiting,),) = self._server.query("SELECT count(*) FROM realtime_event WHERE seq IS NULL")
        ((last,),) = self._server.query("SELECT max(seq) FROM realtime_event")
        return not waiting and all(seq(replica.position) >= last for replica in self.replicas)

    def _log(self) -> list[Row]:
        columns = ", ".join(Row._fields)
        return [
            Row(*row)
            for row in self._server.query(f"SELECT {columns} FROM realtime_event ORDER BY seq")
        ]


def _passed(moment: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > moment


@dataclass
class Verdict:
    """What came of a trial: each violation in words."""

    replicas: list[Replica]
    fresh: list[tuple[dict[int, Any], dict[int, Any]]]
    """For each replica, what its user sees of the database."""
    log: list[Row]

    @cached_property
    def holes(self) -> list[str]:
        """Numbers of the log that are missing, or there twice."""
        numbers = [row.seq for row in self.log]
        return [] if numbers == list(range(1, len(numbers) + 1)) else ["the numbers have holes"]

    @cached_property
    def differences(self) -> list[str]:
        """Replicas, and the log as a whole, that are not what the database is."""
        found = [
            replica.name
            for replica, (lists, items) in zip(self.replicas, self.fresh, strict=True)
            if (replica.lists, replica.items) != (lists, items)
        ]
        every_list, every_item = ({}, {})
        for lists, items in self.fresh:
            every_list |= lists
            every_item |= items
        return found + self._misfits(expected(every_list.values(), every_item.values()))

    def _misfits(self, state: Channels) -> list[str]:
        ledger = Ledger()
        try:
            for row in self.log:
                changed = json.loads(row.changed) if row.changed else None
                ledger.enter(row.type, row.channel, row.data, changed)
        except Misfit as misfit:
            return [f"the log: {misfit}"]
        return [] if ledger.state() == state else ["the log"]

    @cached_property
    def repeats(self) -> list[str]:
        """Events that a replica was sent twice."""
        found = []
        for replica in self.replicas:
            ids = [one.event_id for one in replica.received]
            if len(set(ids)) != len(ids):
                found.append(replica.name)
        return found

    @cached_property
    def gaps(self) -> list[str]:
        """Events that a replica should have been sent."""
        return [
            f"{one.name}: {gap}" for one in self.replicas for gap in self._owed(one) - _got(one)
        ]

    @cached_property
    def phantoms(self) -> list[str]:
        """Events that a replica was sent, and should not."""
        return [f"{r.name}: {it}" for r in self.replicas for it in _got(r) - self._owed(r)]

    def _owed(self, replica: Replica) -> set[tuple[str, str]]:
        return {
            (channel, row.id)
            for channels, start, end in replica.covered
            for channel in channels
            for row in _between(self._rows[channel], start, end)
        }

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        found = defaultdict(list)
        for row in self.log:
            found[row.channel].append(row)
        return found

    @property
    def received(self) -> int:
        return sum(len(replica.received) for replica in self.replicas)

    @property
    def resumes(self) -> int:
        return sum(replica.resumes for replica in self.replicas)

    def check(self) -> None:
        """Fails if anything is wrong."""
        wrong = self.holes + self.gaps + self.repeats + self.phantoms + self.differences
        assert not wrong, f"{self}: {wrong[:10]}"
        assert not any(replica.resets for replica in self.replicas), "Replicas were reset"

    def __str__(self) -> str:
        return (
            f"{len(self.holes)} holes, {len(self.gaps)} gaps, {len(self.repeats)} repeats,"
            f" {len(self.phantoms)} phantoms, {len(self.differences)} differences"
        )


def _between(rows: list[Row], start: int, end: int) -> list[Row]:
    """Those after one number, up to another."""
    return rows[bisect_right(rows, start, key=_seq) : bisect_right(rows, end, key=_seq)]


def _seq(row: Row) -> int:
    return row.seq or 0


def _got(replica: Replica) -> set[tuple[str, str]]:
    return {(one.channel, one.event_id) for one in replica.received}
