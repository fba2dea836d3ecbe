"""A process stands still while it holds what the others need in order to go on."""

import signal
import threading
import time
from contextlib import suppress

import httpx
import pytest

from tests.servers import wait_until
from tests.torture.faults import BACKENDS, Points, booted, environ_of, pair, thaw
from tests.torture.load import Load, ms
from tests.torture.report import record

ROUNDS = 10
GOAL = 3.0
COMMAND = 'make torture ARGS="-k test_sequencer"'


@pytest.fixture
def servers_on(request, make_server, tmp_path):
    """Makes a victim and a witness on a backend; they come with what lets the victim fall."""
    made = []

    def make(backend, **more):
        postgres, environ = environ_of(backend, request)
        made.extend(pair(make_server, postgres, environ | more, tmp_path))
        wait_until(lambda: all(booted(server) == 2 for server in made), "all workers")
        return *made, Points(tmp_path)

    yield make
    for server in made:
        server.kill()


def arrivals_after(load, moment):
    """What has come to the last reader since a moment."""
    return [arrival for arrival in list(load.readers[-1].arrivals) if arrival.moment > moment]


@pytest.mark.parametrize("backend", ["postgres", "redis"])
def test_others_go_on_while_a_sequencer_is_frozen(servers_on, backend):
    victim, witness, points = servers_on(backend)
    load = Load.on(victim, write=[victim, witness], read=[victim, witness])
    stalls = []
    for _ in range(ROUNDS):
        pid, moment = points.fall("log.numbering", signal.SIGSTOP)
        end = moment + GOAL + 2
        wait_until(lambda: time.monotonic() > end, "the lock to be free")  # noqa: B023
        come = [moment, *(arrival.moment for arrival in arrivals_after(load, moment))]
        stalls.append(max(b - a for a, b in zip(come, [*come[1:], end], strict=True)))
        thaw(pid)
    load.stop()
    record(
        f"Frozen sequencer ({BACKENDS[backend]})",
        how="SIGSTOP of a worker that holds the head's lock; writers by REST on this server and"
        " another one, a stream on the other",
        count=ROUNDS,
        worst=f"0 lost; no event for {ms(max(stalls))}",
        goal=f"others go on ≤ {GOAL:.0f} s",
        command=COMMAND,
    )
    load.check()
    assert max(stalls) <= GOAL
    assert "FATAL" not in witness.log


@pytest.mark.parametrize("backend", ["postgres"])
def test_others_go_on_while_somebody_is_frozen_who_prunes(servers_on, backend):
    keep = {"REALTIME_PRUNE_INTERVAL": "1", "REALTIME_LOG_MAX_EVENTS": "5"}
    victim, witness, points = servers_on(backend, **keep)
    load = Load.on(victim, write=[witness], read=[witness])
    pid, moment = points.fall("log.pruning", signal.SIGSTOP)
    wait_until(lambda: arrivals_after(load, moment), "an event to arrive")
    stall = arrivals_after(load, moment)[-1].moment - moment
    thaw(pid)
    load.stop_writing()
    record(
        f"Frozen while it prunes ({BACKENDS[backend]})",
        how="SIGSTOP of a worker that holds the head's lock to advance the floor",
        count=1,
        worst=f"no event for {ms(stall)}",
        goal=f"others go on ≤ {GOAL:.0f} s",
        command=COMMAND,
    )
    assert stall <= GOAL


def test_on_sqlite_others_go_on_once_the_frozen_worker_was_replaced(servers_on):
    """Nobody can take a file's lock away from a process: gunicorn has to end it first."""
    victim, witness, points = servers_on("sqlite")
    load = Load.on(victim, write=[witness, witness], read=[witness])
    nudge = threading.Thread(target=write_once, args=(victim, load.todo_list))
    nudge.start()
    _, moment = points.fall("log.numbering", signal.SIGSTOP)
    with witness.client() as api:
        begun = time.monotonic()
        assert api.get("/api/todo-items/").status_code == 200
        read = time.monotonic() - begun
    wait_until(lambda: arrivals_after(load, moment + 1), "an event to arrive", timeout=100)
    stall = arrivals_after(load, moment + 1)[0].moment - moment
    nudge.join()
    load.stop()
    refused = sum(write.status != 201 for write in load.writes)
    record(
        f"Frozen sequencer ({BACKENDS['sqlite']})",
        how="SIGSTOP of a worker that holds the file's write lock; writers by REST and a stream on"
        " another server",
        count=1,
        worst=f"0 lost, {refused} writes refused; no event for {stall:.1f} s, until gunicorn has"
        f" replaced the worker; reads take {ms(read)} meanwhile",
        goal="0 lost, 0 refused; others go on when gunicorn's timeout of 15 s is over",
        command=COMMAND,
    )
    load.check()
    assert not refused


def write_once(server, todo_list):
    with server.client() as api:
        api.timeout = 100
        # The frozen worker may be the one that has to answer.
        with suppress(httpx.TransportError):
            api.post("/api/todo-items/", json={"todo_list": todo_list, "text": "by the victim"})
