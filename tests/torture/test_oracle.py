"""The oracle under fire: random writes by many processes, and random faults of everything."""

import os
import threading
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tests.oracle.chaos import Lane, Processes, Services
from tests.oracle.trial import Trial, cluster
from tests.servers import wait_until
from tests.torture.faults import Points
from tests.torture.load import ms
from tests.torture.report import record

MUTATIONS = int(os.environ.get("ORACLE_MUTATIONS", "50000"))
ON_SQLITE = MUTATIONS // 5
SEED = int(os.environ.get("ORACLE_SEED", "1"))
SERVERS = 2
STALL = 5.0
CALM = 8.0
"""Seconds of load after the last fault, in which nothing may stall."""
QUIET = 3.0
COMMAND = 'make torture ARGS="-k test_oracle"'

# On a busy machine the full size takes longer than the other tests may.
pytestmark = pytest.mark.timeout(2 * 3600)


@pytest.fixture
def points(tmp_path):
    return Points(tmp_path)


def wait(seconds):
    threading.Event().wait(seconds)


def now():
    return datetime.now(UTC).timestamp()


def torment(trial, lanes, mutations):
    """Runs a trial under faults, then for a while without; the verdict, and the moment of the last
    fault."""
    trial.start()
    for lane in lanes:
        lane.start()
    wait_until(lambda: has_made(trial, lanes, mutations), "mutations", timeout=mutations / 10 + 60)
    for lane in lanes:
        lane.stop()
    last_fault = now()
    wait(CALM)
    return trial.end(quiet=QUIET), last_fault


def has_made(trial, lanes, mutations):
    for lane in lanes:
        if lane.failure:
            raise lane.failure
    return trial.mutations >= mutations


def stalls(trial, verdict, moment):
    """The longest that anybody had to wait after a moment: a writer to write, a replica for an
    event, counted from before its commit."""
    written = {row.id: datetime_of(row.created_at) for row in verdict.log}
    waits = [
        one.moment - max(moment, written[one.event_id])
        for replica in trial.replicas
        for one in replica.received
        if one.moment > moment
    ]
    ends = moment + CALM
    for writer in trial.writers:
        come = [moment, *(m for m in writer.moments if moment < m < ends), ends]
        waits += [b - a for a, b in pairwise(come)]
    return max(waits)


def datetime_of(value):
    """PostgreSQL gives a moment, SQLite a text."""
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def conclude(backend, servers, trial, lanes, verdict, last_fault):
    counts = sum((lane.counts for lane in lanes), Counter())
    worst = stalls(trial, verdict, last_fault)
    faults = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    record(
        f"Everything at random ({backend})",
        how=f"{len(trial.writers)} writers by ORM and REST, {SERVERS} servers with two"
        f" workers each, {len(trial.replicas)} replicas that also break their connections by"
        f" themselves; {sum(counts.values())} faults at random moments: {faults}",
        count=f"{trial.mutations:,} mutations, {len(verdict.log):,} events,"
        f" {verdict.received:,} received, {verdict.resumes:,} resumes",
        worst=f"{verdict}; nothing stalled for longer than {ms(worst)} after the last fault",
        goal="0 gaps, repeats, phantoms, differences; no stall > 5 s after the last fault",
        command=COMMAND,
    )
    verdict.check()
    assert not sum(replica.silences for replica in trial.replicas)
    assert worst <= STALL
    for server in servers:
        assert "stopping the process" not in server.log
        server.stop()


def test_on_postgresql_and_redis_replicas_equal_the_database(
    make_server, fresh_postgres, fresh_redis, points, tmp_path
):
    servers = cluster(
        make_server, SERVERS, tmp_path, postgres=fresh_postgres, REDIS_URL=fresh_redis.url
    )
    trial = Trial(servers, replicas=8, orm=4, rest=2, breaks=0.002, silence=10)
    lanes = [
        Lane(Processes(servers, trial.writers, points, SEED).faults(), SEED, pause=1.5),
        Lane(Services(fresh_redis, fresh_postgres, SEED).faults(), SEED + 1, pause=2),
    ]
    verdict, last_fault = torment(trial, lanes, MUTATIONS)
    conclude("PostgreSQL, Redis", servers, trial, lanes, verdict, last_fault)


def test_on_sqlite_replicas_equal_the_database(make_server, points, tmp_path):
    servers = cluster(make_server, SERVERS, tmp_path)
    trial = Trial(servers, replicas=6, orm=2, rest=1, breaks=0.002, silence=25)
    lanes = [Lane(Processes(servers, trial.writers, points, SEED).faults(), SEED, pause=1.5)]
    verdict, last_fault = torment(trial, lanes, ON_SQLITE)
    conclude("SQLite", servers, trial, lanes, verdict, last_fault)
