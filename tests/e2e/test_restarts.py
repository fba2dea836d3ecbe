"""Ends and restarts of the real server: prompt, clean, and nothing is lost."""

import os
import signal
import socket
import subprocess

import pytest

from tests.servers import DEADLINE, ROOT, free_port, wait_until, web_command
from tests.streams import Stream


def raw_streams(server, count):
    """Many streams on bare sockets."""
    token = server.token()
    request = (
        "GET /api/events/?channel=private-user.1 HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{server.port}\r\nAuthorization: Token {token}\r\n\r\n"
    ).encode()
    sockets = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        connection.sendall(request)
        sockets.append(connection)
    return sockets


def read_until(connection, wanted):
    received = b""
    while wanted not in received:
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk
    return received


def read_to_end(connection):
    chunks = []
    while chunk := connection.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_server_with_many_streams_ends_promptly_and_cleanly(make_server, number):
    server = make_server(REALTIME_MAX_STREAMS_PER_USER="2000")
    sockets = raw_streams(server, 1000 if number == signal.SIGTERM else 100)
    for connection in sockets:
        read_until(connection, b"stream-open")
    server.signal(number)
    # How long it takes at most is measured by tests/torture/test_sigterm.py.
    assert server.wait(DEADLINE) == 0
    for connection in sockets:
        answer = read_to_end(connection)
        # No frame is torn: the delay, then the chunk that ends the answer.
        assert answer.endswith(b"\n\n\r\n0\r\n\r\n"), answer
        assert b"retry: " in answer
        connection.close()


def test_nothing_is_lost_when_the_server_is_killed_and_started_again(fresh_server):
    server = fresh_server
    token = server.token()
    with server.client() as api:
        todo_list = api.post("/api/todo-lists/", json={"name": "x"}).json()
        name = f"private-todo-list.{todo_list['id']}"
        stream = Stream(server.url, [name], token=token).opened()
        api.post("/api/todo-items/", json={"todo_list": todo_list["id"], "text": "before"})
        assert stream.change()[1]["data"]["text"] == "before"
    server.kill()
    stream.rest()
    server.shell(
        "from todos.models import TodoItem\n"
        f"TodoItem.objects.create(todo_list_id={todo_list['id']}, text='while it was down')"
    )
    server.start()
    with server.client() as api:
        api.post("/api/todo-items/", json={"todo_list": todo_list["id"], "text": "after"})
    with Stream(server.url, [name], token=token, last_event_id=stream.last_event_id) as again:
        again.opened()
        texts = [again.change()[1]["data"]["text"] for _ in range(2)]
        assert texts == ["while it was down", "after"]


def test_what_a_killed_process_committed_but_did_not_publish_is_delivered(fresh_server):
    server = fresh_server
    with Stream(server.url, ["private-user.1"], token=server.token()) as stream:
        stream.opened()
        # Dies after its commit, before any hook can run.
        server.shell(
            "import os\n"
            "from django.db import transaction\n"
            "from realtime import sequencer\n"
            "sequencer.committed = lambda numbered: os._exit(0)\n"
            "from todos.models import TodoList\n"
            "TodoList.objects.create(name='orphan', owner_id=1)"
        )
        kind, message = stream.change()
        assert (kind, message["data"]["name"]) == ("todo-list.created", "orphan")


def touched(server):
    # Again and again: a change before the reloader's first look is none.
    os.utime(ROOT / "api" / "urls.py")
    return "Worker reloading" in server.log


def test_changed_code_is_reloaded_while_streams_are_open(make_server):
    server = make_server(DEBUG="1")
    with Stream(server.url, ["private-user.1"], token=server.token()) as stream:
        stream.opened()
        wait_until(lambda: touched(server), "the change to be noticed")
        ended = stream.rest()
        assert all(event.event in ("keep-alive", "message") for event in ended)
        assert ended[-1].retry
    wait_until(lambda: server.log.count("Booting worker") > 1, "a new worker")
    wait_until(server.answers, "the new worker to answer")
    assert "Forcing close" not in server.log


def test_a_wrong_setting_ends_the_start_with_one_clear_line():
    environ = {**os.environ, "DEBUG": "1", "PORT": str(free_port()), "REALTIME_RING": "many"}
    answer = subprocess.run(
        web_command(),
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer.returncode != 0
    assert answer.stderr.strip().splitlines() == [
        "Wrong settings: REALTIME_RING is 'many': it must be a whole number above 0."
    ]
