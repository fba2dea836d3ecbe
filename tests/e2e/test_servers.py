"""The same on each ASGI server: ours lends its connections, the others have only `send`."""

import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.test_restarts import read_until
from tests.servers import DEADLINE, Server, web_command
from tests.streams import Stream
from tests.websockets import ENVIRON, Client

LINE = "private-user.1"
COUNT = 400
# Much more than the kernel and the server hold for a connection, in events of a few at once.
WRITE = (
    "import realtime\n"
    f"for n in range({COUNT}): realtime.trigger('{LINE}', 'note', ['x' * 10000, n])"
)
APPLICATION = "api.asgi:application"
COMMANDS = {
    "ours": lambda port: web_command(),
    "gunicorn": lambda port: [*web_command(), "--worker-class", "asgi"],
    "uvicorn": lambda port: module("uvicorn", "--port", port, APPLICATION),
    "hypercorn": lambda port: module("hypercorn", "--bind", f"127.0.0.1:{port}", APPLICATION),
    "daphne": lambda port: module("daphne", "--port", port, APPLICATION),
}


def module(*arguments: str) -> list[str]:
    """What runs a server that is a module."""
    return [sys.executable, "-m", *arguments]


class OtherServer(Server):
    """Served by a command of `COMMANDS`."""

    kind = ""

    def command(self) -> list[str]:
        if self.kind == "runserver":
            return [sys.executable, "manage.py", "runserver", "--noreload", str(self.port)]
        return COMMANDS[self.kind](str(self.port))


@contextmanager
def serving(kind: str, template: Path, folders: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that gives readers room, so that only those are cut that don't read."""
    server = OtherServer(folders.mktemp(kind), **ENVIRON, REALTIME_STREAM_BUFFER="8000000")
    server.kind = kind
    shutil.copy(template, server.database)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module", params=COMMANDS)
def server(request, database_template, tmp_path_factory) -> Iterator[Server]:
    """One of each kind, which is not to be stopped."""
    with serving(request.param, database_template, tmp_path_factory) as server:
        yield server


def events_of(text: bytes) -> list[int]:
    """The numbers of all events of a stream, as the chunks of its answer carry them."""
    _, _, rest = text.partition(b"\r\n\r\n")
    body = b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        body, rest = body + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    data = [line[6:] for line in body.decode().split("\n") if line.startswith("data: {")]
    return [message["data"][1] for message in map(json.loads, data) if "data" in message]


def test_a_stream_goes_on_where_another_broke(server):
    token = server.token()
    with Stream(server.url, [LINE], token=token) as first:
        first.opened()
        server.shell(f"import realtime; realtime.trigger('{LINE}', 'note', 1)")
        assert first.change()[1]["data"] == 1
    server.shell(f"import realtime; realtime.trigger('{LINE}', 'note', 2)")
    with Stream(server.url, [LINE], token=token, last_event_id=first.last_event_id) as second:
        assert second.change()[1]["data"] == 2
        server.shell(f"import realtime; realtime.trigger('{LINE}', 'note', 3)")
        assert second.change()[1]["data"] == 3


def test_a_slow_reader_gets_all_of_a_burst_whole_and_in_order(server):
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.settimeout(DEADLINE)
    reader.connect(("127.0.0.1", server.port))
    request = (
        f"GET /api/events/?channel={LINE} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Token {server.token()}\r\n\r\n"
    )
    reader.sendall(request.encode())
    received = read_until(reader, b"stream-open")
    server.shell(WRITE)  # Nothing is read meanwhile.
    last = b"%d]" % (COUNT - 1)
    while not (last in received[-200:] and received.endswith(b"\n\n\r\n")):
        received += reader.recv(3000)
    reader.close()
    assert events_of(received) == list(range(COUNT))


def test_a_reader_who_leaves_in_the_middle_of_a_frame_resumes_after_the_last_whole_one(server):
    token = server.token()
    with Stream(server.url, [LINE], token=token) as other:
        start = other.opened().last_event_id
        reader = socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE)
        request = (
            f"GET /api/events/?channel={LINE} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Token {token}\r\nLast-Event-ID: {start}\r\n\r\n"
        )
        reader.sendall(request.encode())
        read_until(reader, b"stream-open")
        server.shell(WRITE)
        read_until(reader, b'"xxx')  # The beginning of an event, or of many.
        reader.close()
        assert [other.change()[1]["data"][1] for _ in range(COUNT)] == list(range(COUNT))
    with Stream(server.url, [LINE], token=token, last_event_id=start) as back:
        assert [back.change()[1]["data"][1] for _ in range(COUNT)] == list(range(COUNT))


def test_a_websocket_gets_what_a_stream_gets(server):
    with Client(server, token=server.token()) as client:
        client.established().subscribe(LINE)
        server.shell(WRITE)
        assert [client.change()[1][1] for _ in range(COUNT)] == list(range(COUNT))


def test_answers_of_rest_are_not_disturbed_by_streams(server):
    with Stream(server.url, [LINE], token=server.token()) as stream, server.client() as client:
        stream.opened()
        made = client.post("/api/todo-lists/", json={"name": "One more"})
        assert made.status_code == 201
        assert client.get("/api/todo-lists/").json()["results"]
        kept = httpx.get(f"{server.url}/api/todo-lists/", timeout=DEADLINE)
        assert kept.status_code == 401


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_stream_is_live_and_has_its_end_when_the_server_ends(
    kind, database_template, tmp_path_factory
):
    with (
        serving(kind, database_template, tmp_path_factory) as server,
        Stream(server.url, [LINE], token=server.token()) as stream,
    ):
        stream.opened()
        server.shell(f"import realtime; realtime.trigger('{LINE}', 'note', 1)")
        assert stream.change()[1]["data"] == 1
        server.signal(signal.SIGTERM)
        # At most when to come back, which this parser shows as an event of its own; then the end
        # that HTTP asks for.
        assert {event.event for event in stream.rest()} <= {"message", "keep-alive"}
        assert stream.response.is_stream_consumed
        server.wait()


def test_where_no_stream_can_be_held_the_answer_ends_after_what_was_missed(
    database_template, tmp_path_factory
):
    with serving("runserver", database_template, tmp_path_factory) as server:
        token = server.token()
        for number in (1, 2):
            with Stream(server.url, [LINE], token=token) as stream:
                start = stream.opened().last_event_id
                assert stream.rest() == []
            server.shell(f"import realtime; realtime.trigger('{LINE}', 'note', {number})")
            with Stream(server.url, [LINE], token=token, last_event_id=start) as stream:
                assert stream.opened().change()[1]["data"] == number
                assert stream.rest() == []
