"""The database is put back to an earlier state: every stream is told that it must refetch."""

import shutil
import sqlite3
import subprocess
import time
from contextlib import closing, suppress

import pytest

from tests.services import POSTGRESQL
from tests.streams import Ended, Stream
from tests.torture.load import ms
from tests.torture.report import record

STREAMS = 50
GOAL = "100 % reset"
COMMAND = 'make torture ARGS="-k test_restored"'
CHANNEL = "private-todo-list.1"


class Scene:
    """A server with many streams, whose database is saved, written to, and restored."""

    def __init__(self, server):
        self.server = server
        self.token = server.token()
        self.streams = []

    def open(self):
        """Streams that all have received something."""
        self.streams = [self.stream() for _ in range(STREAMS)]
        for stream in self.streams:
            stream.opened()
        self.write("seen by all")
        for stream in self.streams:
            assert stream.change()[1]["data"]["text"] == "seen by all"

    def stream(self, last_event_id=""):
        return Stream(self.server.url, [CHANNEL], token=self.token, last_event_id=last_event_id)

    def write(self, *texts):
        with self.server.client() as api:
            for text in texts:
                body = {"todo_list": 1, "text": text}
                assert api.post("/api/todo-items/", json=body).status_code == 201

    def read_on(self, *texts):
        """Has every stream take these."""
        for stream in self.streams:
            assert [stream.change()[1]["data"]["text"] for _ in texts] == list(texts)

    def resume(self):
        """Opens every stream anew, from where it was; how many are reset at once."""
        for stream in self.streams:
            with suppress(Ended):
                stream.rest()
        again = [self.stream(stream.last_event_id) for stream in self.streams]
        self.streams = again
        for stream in again:
            stream.opened()
        return sum(is_reset(stream) for stream in again)

    def close(self):
        for stream in self.streams:
            stream.close()


def is_reset(stream):
    """Whether the next that a stream has to say is a reset."""
    return stream.until(lambda event: event.event != "keep-alive")[-1].event == "stream-reset"


@pytest.fixture
def scene_on():
    """Makes scenes, and ends them."""
    scenes = []

    def make(server):
        scenes.append(Scene(server))
        scenes[-1].open()
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.close()
        scene.server.stop()


def save(server):
    """A copy of a SQLite database."""
    copy = server.folder / "saved.sqlite3"
    with (
        closing(sqlite3.connect(server.database)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


def wait_for_reset(scene):
    """Seconds until all of the open streams were reset."""
    begun = time.monotonic()
    assert all(is_reset(stream) for stream in scene.streams)
    return time.monotonic() - begun


@pytest.mark.parametrize("later", [0, 1, 5, 50])
def test_a_file_copied_back_while_the_server_is_stopped(make_server, scene_on, later):
    """The new history is shorter, as long as, or longer than the lost one."""
    scene = scene_on(make_server(REALTIME_KEEP_ALIVE="1", REALTIME_MAX_STREAMS_PER_USER="500"))
    server = scene.server
    copy = save(server)
    lost = [f"lost {n}" for n in range(5)]
    scene.write(*lost)
    scene.read_on(*lost)
    server.stop()
    for path in server.folder.glob("db.sqlite3*"):
        path.unlink()
    shutil.copy(copy, server.database)
    server.start()
    scene.write(*(f"new {n}" for n in range(later)))
    reset = scene.resume()
    record(
        f"Database restored (SQLite, server stopped, {later} new events)",
        how="5 events lost, file copied back, then as many new events, then all streams resume",
        count=f"{STREAMS} streams",
        worst=f"{reset} reset",
        goal=GOAL,
        command=COMMAND,
    )
    assert reset == STREAMS


def put_back(copy, database):
    """As SQLite's own ``.restore`` does, through its locks. Who puts a file in the place of one
    that is open breaks it, as SQLite's "How To Corrupt" says: for that, the server is stopped."""
    with (
        closing(sqlite3.connect(copy)) as source,
        closing(sqlite3.connect(database, timeout=20)) as target,
    ):
        source.backup(target)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_file_restored_under_a_running_server(make_server, scene_on, workers):
    scene = scene_on(
        make_server(
            REALTIME_KEEP_ALIVE="1", REALTIME_MAX_STREAMS_PER_USER="500", WEB_CONCURRENCY=workers
        )
    )
    server = scene.server
    copy = save(server)
    lost = [f"lost {n}" for n in range(5)]
    scene.write(*lost)
    scene.read_on(*lost)
    put_back(copy, server.database)
    seconds = wait_for_reset(scene)
    scene.write("after")
    scene.read_on("after")
    assert server.query("SELECT count(*) FROM todos_todoitem WHERE text LIKE 'lost%'") == [(0,)]
    record(
        f"Database restored (SQLite, running server, .restore, {workers} workers)",
        how="5 events lost while all streams are open",
        count=f"{STREAMS} streams",
        worst=f"{STREAMS} reset, after {ms(seconds)}",
        goal=GOAL,
        command=COMMAND,
    )


@pytest.mark.parametrize("broker", ["NOTIFY", "Redis"])
def test_pg_restore_under_a_running_server(make_server, scene_on, postgres, request, broker):
    environ = {"REALTIME_KEEP_ALIVE": "1", "REALTIME_MAX_STREAMS_PER_USER": "500"}
    if broker == "Redis":
        environ["REDIS_URL"] = request.getfixturevalue("redis_server").url
    scene = scene_on(make_server(postgres, WEB_CONCURRENCY="2", **environ))
    server = scene.server
    dump = server.folder / "saved.dump"
    url = server.environ["DATABASE_URL"]
    tool("pg_dump", "--format=custom", f"--file={dump}", url)
    lost = [f"lost {n}" for n in range(5)]
    scene.write(*lost)
    scene.read_on(*lost)
    tool("pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={url}", dump)
    seconds = wait_for_reset(scene)
    scene.write("after")
    scene.read_on("after")
    record(
        f"Database restored (pg_restore, running server, {broker})",
        how="pg_dump, 5 events lost, pg_restore --clean into the same database, streams open",
        count=f"{STREAMS} streams",
        worst=f"{STREAMS} reset, after {ms(seconds)}",
        goal=GOAL,
        command=COMMAND,
    )


def tool(name, *arguments):
    """Runs one of PostgreSQL's programs."""
    subprocess.run([POSTGRESQL[-1].with_name(name), *arguments], check=True, timeout=60)
