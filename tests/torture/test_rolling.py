"""Servers are restarted one after the other, or reloaded, while all go on reading and writing."""

import signal
import threading
from collections import Counter

import pytest

from tests.servers import START, wait_until
from tests.torture.faults import booted
from tests.torture.load import Load, ms
from tests.torture.report import record

ROUNDS = 5
WRITERS, READERS = 4, 20
COMMAND = 'make torture ARGS="-k test_rolling"'


@pytest.fixture
def servers(make_server, postgres, redis_server):
    """Two servers with two workers each, on one PostgreSQL and one Redis."""
    environ = {
        "WEB_CONCURRENCY": "2",
        "REDIS_URL": redis_server.url,
        "REALTIME_KEEP_ALIVE": "1",
        "REALTIME_MAX_STREAMS_PER_USER": "1000",
    }
    first = make_server(postgres, **environ)
    found = [first, make_server(**environ, DATABASE_URL=first.environ["DATABASE_URL"])]
    yield found
    for server in found:
        server.stop()


def restart(server):
    """Ends it, as a deployment does, and starts it again."""
    server.signal(signal.SIGTERM)
    assert server.wait() == 0
    server.start()


def reload(server):
    """Has gunicorn put new workers in the place of the old ones, on the same socket."""
    before, old = booted(server), set(server.workers)
    server.signal(signal.SIGHUP)
    wait_until(lambda: booted(server) == before + 2, "new workers", timeout=START)
    wait_until(lambda: not old & set(server.workers), "the old workers to end")


WAYS = {
    "Rolling restart": (restart, "SIGTERM and start of one server after the other", 5.0),
    # Nobody else listens at the port until the new workers have started.
    "Reload": (reload, "SIGHUP of one server after the other", 15.0),
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_lost_when_servers_are_renewed_one_by_one(way, servers):
    renew, how, goal = WAYS[way]
    load = Load.on_any(servers, write=WRITERS, read=READERS)
    wait()
    for _ in range(ROUNDS):
        for server in servers:
            renew(server)
            wait()
    load.stop()
    failed = Counter(write.status for write in load.writes)
    # Those that wait to be accepted when the port is closed have their connections cut.
    unanswered, _ = failed.pop(0, 0), failed.pop(201)
    delays = load.delays().values()
    breaks = sum(reader.breaks - 1 for reader in load.readers)
    turned_away = sum(writer.turned_away for writer in load.writers)
    record(
        way,
        how=f"{how}, {ROUNDS} times; {WRITERS} writers by REST and {READERS} streams, which go to"
        " the other server when they can't connect, the streams after the delay they were told",
        count=f"{ROUNDS * len(servers)} renewals, {len(load.writes):,} writes, {breaks} resumes",
        worst=f"0 lost; delivered within {ms(max(delays))}; {unanswered} writes without an answer,"
        f" {failed.total()} failed, {turned_away} went to the other server",
        goal=f"0 lost, 0 failed, delivered ≤ {goal:g} s",
        command=COMMAND,
    )
    load.check()
    assert breaks >= READERS * ROUNDS
    assert not failed
    assert unanswered <= ROUNDS * len(servers)
    assert max(delays) <= goal


def wait():
    """Lets the load run."""
    threading.Event().wait(3)
