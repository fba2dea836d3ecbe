"""An open stream pins nothing of Django's: no thread, no database connection."""

import os
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.e2e.test_restarts import raw_streams, read_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")


STREAMS = 1000


def worker_of(server):
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return int(children.split()[0])


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def database_files(pid, database):
    found = 0
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # A connection that is closed meanwhile.
            found += os.readlink(link).startswith(str(database))
    return found


def test_a_thousand_streams_take_no_thread_and_no_database_connection(make_server):
    server = make_server(REALTIME_MAX_STREAMS_PER_USER="5000")
    pid = worker_of(server)
    with server.client() as api, closing(raw_streams(server, 1)[0]) as stays:
        read_until(stays, b"stream-open")
        # Every thread of the pool has worked once, and has its connection; so has the one that
        # keeps count of streams.
        warm = raw_streams(server, 64)
        for connection in warm:
            read_until(connection, b"stream-open")
            connection.close()
        before = threads(pid), database_files(pid, server.database)
        held = raw_streams(server, STREAMS)
        for connection in held:
            read_until(connection, b"stream-open")
        grown = threads(pid) - before[0], database_files(pid, server.database) - before[1]
        # Some thread of the pool may have found nothing to do before.
        assert max(grown) < STREAMS / 20
        assert api.get("/api/todo-lists/").status_code == 200
        created = api.post("/api/todo-lists/", json={"name": "for all"})
        assert created.status_code == 201
        for connection in held:
            read_until(connection, b"todo-list.created")
            connection.close()
