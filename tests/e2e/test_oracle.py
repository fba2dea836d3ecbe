"""Replicas built from snapshot and stream equal the database after random writes in every way."""

import os
import sys

from tests.oracle.trial import STREAMS, Trial
from tests.servers import wait_until

MUTATIONS = int(os.environ.get("ORACLE_MUTATIONS", "1500"))
REPLICAS = int(os.environ.get("ORACLE_REPLICAS", "8"))


def test_replicas_equal_the_database(make_server):
    server = make_server(**STREAMS, REALTIME_RING="64", REALTIME_REPLAY_PAGE="50")
    trial = Trial([server], replicas=REPLICAS, orm=3, rest=1).start()
    wait_until(lambda: trial.mutations >= MUTATIONS, "the mutations", timeout=MUTATIONS)
    verdict = trial.end()
    sys.stdout.write(
        f"\n{trial.mutations} mutations, {len(verdict.log)} events, {REPLICAS} replicas:"
        f" {verdict.received} received, {verdict.resumes} resumes; {verdict}\n"
    )
    verdict.check()
    assert verdict.resumes > REPLICAS
