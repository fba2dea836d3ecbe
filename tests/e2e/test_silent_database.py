"""A database that keeps its connections and does not answer on them any more."""

import os
import signal
from contextlib import contextmanager, suppress

import pytest

from tests.streams import Stream


@contextmanager
def silent(server):
    """Stops all who serve the connections that there are; new ones are served."""
    name = server.environ["DATABASE_URL"].rpartition("/")[2]
    rows = server.query(
        f"SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    )
    pids = [pid for (pid,) in rows]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield pids
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@pytest.fixture(params=["redis", "notify"])
def server(request, make_server, postgres):
    environ = {}
    if request.param == "redis":
        environ["REDIS_URL"] = request.getfixturevalue("redis_server").url
    server = make_server(postgres, **environ)
    yield server
    server.stop()


def test_what_is_written_and_what_rights_end_is_told_by_new_connections(server):
    token = server.token()
    with server.client() as alice:
        todo_list = alice.post("/api/todo-lists/", json={"name": "x"}).json()["id"]
        alice.post(f"/api/todo-lists/{todo_list}/members/", json={"username": "bob"})
    name = f"private-todo-list.{todo_list}"
    with (
        Stream(server.url, [name], token=token) as mine,
        Stream(server.url, [name], token=server.token("bob")) as bobs,
    ):
        mine.opened()
        bobs.opened()
        with silent(server) as pids:
            assert pids
            server.shell(
                "from todos.models import TodoItem, Membership\n"
                f"TodoItem.objects.create(todo_list_id={todo_list}, text='meanwhile')\n"
                f"Membership.objects.get(todo_list_id={todo_list}, user__username='bob').delete()"
            )
            # What was written just before may have got its number only now.
            mine.until(lambda event: "meanwhile" in event.data)
            # Told that the right has ended; or sent away, while nobody can say whether it has.
            bobs.rest()
