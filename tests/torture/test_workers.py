"""Workers are killed at named points of the way of a change, hundreds of times."""

import os
import signal
import time
from contextlib import suppress

import httpx
import pytest

from tests.servers import wait_until
from tests.streams import Stream
from tests.torture.clients import narrow_socket
from tests.torture.faults import BACKENDS, Points, booted, environ_of, pair
from tests.torture.load import Load, ms
from tests.torture.report import record

POINTS = (
    "log.appended",  # before the commit
    "log.committed",  # after it, before anybody is woken
    "log.numbering",  # in the sequencer's transaction; on SQLite, before the commit
    "log.numbered",  # after that, before anything is published
    "stream.sending",  # between two frames of a stream
)
AFTER_COMMIT = POINTS[1:4]
AFTER_COMMIT_ON_SQLITE = ("log.committed", "log.numbered")
ROUNDS = 10
TORN = 20
GOAL = 1.0
COMMAND = 'make torture ARGS="-k test_workers"'


@pytest.fixture(params=BACKENDS)
def servers(request, make_server, tmp_path):
    """The name of a backend, a victim and a witness on it, and what lets the victim fall."""
    postgres, environ = environ_of(request.param, request)
    victim, witness = pair(make_server, postgres, environ, tmp_path)
    yield BACKENDS[request.param], victim, witness, Points(tmp_path)
    victim.stop()
    witness.stop()


def kill(victim, points, point):
    """Has a worker killed; returns when, once there is another one in its place."""
    before = booted(victim)
    _, moment = points.fall(point)
    wait_until(lambda: booted(victim) > before, "a new worker")
    return moment


def test_what_killed_workers_were_doing_is_lost_for_nobody(servers):
    backend, victim, witness, points = servers
    wait_until(lambda: booted(victim) == 2, "both workers")
    load = Load.on(victim, write=[victim, victim], read=[victim, victim, witness, witness])
    for _ in range(ROUNDS):
        for point in POINTS:
            kill(victim, points, point)
    load.stop()
    delay = max(load.delays(load.readers[2:]).values())
    own = max(load.delays(load.readers[:2]).values())
    record(
        f"Worker crash under load ({backend})",
        how="kill -9 before and after the commit, while numbering, before publishing, before a"
        " frame is sent; two writers by REST, streams on this server and on another one",
        count=f"{ROUNDS * len(POINTS)} kills, {len(load.writes)} writes",
        worst=f"0 lost; delivered within {ms(delay)}; to those who had to come back, {ms(own)}",
        goal="0 lost, delivered ≤ 1 s",
        command=COMMAND,
    )
    load.check()
    assert max(delay, own) <= GOAL


def test_what_a_killed_worker_leaves_behind_needs_no_other_write_to_be_delivered(servers):
    backend, victim, witness, points = servers
    wait_until(lambda: booted(victim) == 2, "both workers")
    load = Load.on(victim, write=[], read=[witness, witness])
    delays = []
    after_commit = AFTER_COMMIT_ON_SQLITE if backend == BACKENDS["sqlite"] else AFTER_COMMIT
    with victim.client() as api:
        for point in after_commit * ROUNDS:
            before = booted(victim)
            moment = write_until_fallen(api, load.todo_list, points, point)
            wait_until(load.has_arrived, "what was committed")
            delays += [reader.arrivals[-1].moment - moment for reader in load.readers]
            wait_until(lambda: booted(victim) > before, "a new worker")  # noqa: B023
    load.stop()
    record(
        f"Worker crash, then silence ({backend})",
        how="kill -9 after the commit, while numbering (not on SQLite, where that is before the"
        " commit), before publishing; nobody writes until the event has come to streams of another"
        " server",
        count=f"{len(delays) // 2} kills",
        worst=f"0 lost; delivered {ms(max(delays))} after the kill",
        goal="0 lost, delivered ≤ 1 s",
        command=COMMAND,
    )
    load.check()
    assert max(delays) <= GOAL


def write_until_fallen(api, todo_list, points, point):
    """Writes by the victim until it has reached a point; when that was. Another server may be
    quicker to number what it has written."""
    points.arm(point)

    def fallen():
        with suppress(httpx.TransportError):
            api.post("/api/todo-items/", json={"todo_list": todo_list, "text": "left"})
        return points.fallen()

    return wait_until(fallen, f"a process to reach {point}")[1]


WRITE = "import realtime; realtime.trigger('private-user.1', 'large', ['{n}', 'x' * 8_000_000])"


def test_a_frame_that_is_torn_by_a_crash_comes_again_as_a_whole(make_server, postgres):
    server = make_server(postgres)
    token = server.token()
    with Stream(server.url, ["private-user.1"], token=token) as stream:
        position = stream.opened().last_event_id
    worst = 0.0
    for n in range(TORN):
        reader = narrow_socket(server.port)
        request = (
            f"GET /api/events/?channel=private-user.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Token {token}\r\nLast-Event-ID: {position}\r\n\r\n"
        )
        reader.sendall(request.encode())
        received = read_until(reader, b"stream-open")
        server.shell(WRITE.format(n=n))
        received += read_until(reader, b"event: large")
        (worker,) = server.workers
        os.kill(worker, signal.SIGKILL)
        killed = time.monotonic()
        received += read_to_end(reader)
        assert b"event: large" in received
        assert len(received) < 8_000_000
        wait_until(lambda: booted(server) == 2 + n, "a new worker")  # noqa: B023
        with Stream(server.url, ["private-user.1"], token=token, last_event_id=position) as again:
            kind, message = again.opened().change()
            assert (kind, message["data"]) == ("large", [str(n), "x" * 8_000_000])
            worst = max(worst, time.monotonic() - killed)
            position = again.last_event_id
    record(
        "Worker crash (mid-frame)",
        how="kill -9 of the only worker while it sends a frame of 8 MB, live; the client resumes",
        count=TORN,
        worst=f"0 lost, 0 torn; complete {ms(worst)} after the kill, the worker's start included",
        goal="0 lost",
        command=COMMAND,
    )
    server.stop()


def read_until(connection, wanted):
    received = b""
    while wanted not in received:
        chunk = connection.recv(4096)
        assert chunk, received
        received += chunk
    return received


def read_to_end(connection):
    chunks = []
    try:
        while chunk := connection.recv(65536):
            chunks.append(chunk)
    except ConnectionError:
        pass
    connection.close()
    return b"".join(chunks)
