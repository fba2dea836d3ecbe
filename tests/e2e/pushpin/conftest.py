"""A server and the Pushpin before it, and lists whose streams it holds."""

import json
from contextlib import suppress

import pytest

from tests.ports import free_port, wait_until
from tests.pushpin import ISSUER, KEY
from tests.streams import Ended, Stream


def grip_url(port):
    """For ``GRIP_URL``."""
    return f"http://127.0.0.1:{port}?iss={ISSUER}&key={KEY}"


ENVIRON = {
    "REALTIME_KEEP_ALIVE": "1",
    # So long that nothing arrives in time because the proxy asks by itself.
    "REALTIME_GRIP_INTERVAL": "60",
    "REALTIME_REPLAY_PAGE": "10",
    "REALTIME_MAX_STREAMS_PER_USER": "500",
    "NUM_PROXIES": "1",
}
OFTEN = {"REALTIME_GRIP_INTERVAL": "2"}


def wait_for_streams(server, pushpin):
    """Pushpin's parts find each other a moment after it answers: until then a stream gets 500."""
    token = server.token()

    def opens():
        with suppress(Ended), Stream(pushpin.url, ["private-user.1"], token=token) as stream:
            return stream.opened()
        return None

    wait_until(opens, "streams to open by Pushpin")


@pytest.fixture(scope="package")
def both(make_shared_server, make_pushpin):
    """A server and a Pushpin that many tests share: none may stop them."""
    port = free_port()
    server = make_shared_server(GRIP_URL=grip_url(port), **ENVIRON)
    pushpin = make_pushpin(server.port, port)
    wait_for_streams(server, pushpin)
    yield server, pushpin
    pushpin.kill()
    server.stop()


@pytest.fixture
def fresh(make_server, make_pushpin):
    """Starts a server and a Pushpin of one test's own."""
    started = []

    def make(control_port=None, **environ):
        port = control_port or free_port()
        server = make_server(**{"GRIP_URL": grip_url(port)} | ENVIRON | environ)
        started.append((server, make_pushpin(server.port, port)))
        wait_for_streams(*started[-1])
        return started[-1]

    yield make
    for server, pushpin in started:
        pushpin.kill()
        server.stop()


@pytest.fixture
def lists(both):
    """Server, Pushpin, alice's client on the server, and two new lists of hers."""
    with both[0].client() as alice:
        yield *both, alice, [make_list(alice) for _ in range(2)]


@pytest.fixture
def own_lists(request, fresh):
    """The same, with a server and a Pushpin that may be stopped; takes more environment."""
    server, pushpin = fresh(**getattr(request, "param", {}))
    with server.client() as alice:
        yield server, pushpin, alice, [make_list(alice) for _ in range(2)]


def make_list(client, name="x"):
    """The id of a new list."""
    return client.post("/api/todo-lists/", json={"name": name}).json()["id"]


def channel(todo_list):
    return f"private-todo-list.{todo_list}"


def add(client, todo_list, text):
    """Adds an item."""
    client.post("/api/todo-items/", json={"todo_list": todo_list, "text": text}).raise_for_status()


def texts(stream, count):
    """The texts of the next `count` changes, whose ids must rise."""
    found, ids = [], []
    while len(found) < count:
        event = stream.until(lambda event: event.event.startswith("todo-"))[-1]
        found.append(json.loads(event.data)["data"].get("text"))
        ids.append(int(event.id.partition("-")[0]))
    assert ids == sorted(set(ids))
    return found


def feeds(server, todo_list):
    """The feeds that a list's events are published to."""
    condition = f"channel = '{channel(todo_list)}'"
    return [
        row[0]
        for row in server.query(f"SELECT feed_id FROM realtime_feedchannel WHERE {condition}")
    ]


def held(server):
    """How many streams the server holds itself."""
    return server.query("SELECT count(*) FROM realtime_stream")[0][0]
