"""Replicas built from snapshot and stream equal the database after random writes in every way."""

import sys

import pytest

from tests.oracle.chaos import Lane, Processes, Services
from tests.oracle.trial import STREAMS, Trial, cluster
from tests.servers import stop_all, wait_until
from tests.torture.faults import Points

MUTATIONS, REPLICAS = 1000, 8
UNDER_FAULTS = 100


def tell(trial, verdict):
    sys.stdout.write(
        f"\n{trial.mutations} mutations, {len(verdict.log)} events, {len(trial.replicas)} replicas:"
        f" {verdict.received} received, {verdict.resumes} resumes; {verdict}\n"
    )


@pytest.mark.timeout(300)
def test_replicas_equal_the_database(make_server):
    server = make_server(**STREAMS, REALTIME_RING="64", REALTIME_REPLAY_PAGE="50")
    trial = Trial([server], replicas=REPLICAS, orm=3, rest=1).start()
    wait_until(lambda: trial.mutations >= MUTATIONS, "the mutations", timeout=MUTATIONS)
    verdict = trial.end()
    tell(trial, verdict)
    verdict.check()
    assert verdict.resumes > REPLICAS
    server.stop()


@pytest.mark.timeout(300)
def test_replicas_equal_the_database_after_one_fault_of_each_kind(
    make_server, fresh_postgres, fresh_redis, tmp_path
):
    servers = cluster(make_server, 2, tmp_path, postgres=fresh_postgres, REDIS_URL=fresh_redis.url)
    trial = Trial(servers, replicas=4, orm=2, rest=1).start()
    processes = Processes(servers, trial.writers, Points(tmp_path), seed=1, longest=0.5)
    services = Services(fresh_redis, fresh_postgres, seed=1, longest=0.5)
    Lane(processes.faults() | services.faults(), seed=1, pause=0).once_each()
    enough = trial.mutations + UNDER_FAULTS
    wait_until(lambda: trial.mutations >= enough, "mutations after the last fault", timeout=100)
    verdict = trial.end()
    tell(trial, verdict)
    verdict.check()
    assert not any("stopping the process" in server.log for server in servers)
    stop_all(servers)
