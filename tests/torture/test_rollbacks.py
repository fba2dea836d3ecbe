"""Thousands of random transactions, nested and failing, against both databases."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest

from tests.servers import ROOT
from tests.torture.report import record

SEQUENCES = int(os.environ.get("ROLLBACK_SEQUENCES", "10000"))
PROCESSES = 2
PATIENCE = 3600
COMMAND = [sys.executable, "-m", "tests.oracle.rollbacks", str(SEQUENCES // PROCESSES)]


@pytest.fixture
def databases(request, make_server):
    """The name of a database, and the URLs of several with the tables in them."""
    postgres = request.getfixturevalue("postgres") if request.param == "PostgreSQL" else None
    servers = [make_server(postgres) for _ in range(PROCESSES)]
    for server in servers:
        server.stop()
    return request.param, [server.environ["DATABASE_URL"] for server in servers]


def make_sequences(url):
    return subprocess.Popen(
        COMMAND, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )  # fmt: skip


@pytest.mark.timeout(PATIENCE)
@pytest.mark.parametrize("databases", ["SQLite", "PostgreSQL"], indirect=True)
def test_nothing_that_was_rolled_back_is_ever_published(databases):
    name, urls = databases
    processes = [make_sequences(url) for url in urls]
    told = [process.communicate(timeout=PATIENCE)[0] for process in processes]
    done, failures = Counter(), []
    for process, text in zip(processes, told, strict=True):
        if process.returncode:
            failures.append(text)
        else:
            done.update(json.loads(text.splitlines()[-1]))
    record(
        f"Rollbacks ({name})",
        how="hypothesis: savepoints, nested and failing blocks, receivers that raise; saves, F(),"
        " moves, bulk, cascades, many-to-many, get_or_create, upserts. After each outermost block"
        " the log's new events must turn what there was into what there is, and show nothing else",
        count=f"{done['sequences']:,} sequences, {done['transactions']:,} transactions,"
        f" {done['rollbacks']:,} blocks rolled back, {done['events']:,} events",
        worst=f"{len(failures)} violations",
        goal="0 phantoms in 10,000 sequences",
        command='make torture ARGS="-k test_rollbacks"',
    )
    # By its message, for a list of such long texts would be shown cut.
    assert not failures, "\n".join(failures)
