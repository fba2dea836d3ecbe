"""WebSockets on several workers: each delivers what happens on the others, and any may die."""

import json
import os
import signal
import time
from contextlib import ExitStack

import pytest

from realtime.pusher import codes
from tests.servers import wait_until
from tests.streams import Stream
from tests.websockets import APP, ENVIRON, Client, Closed, backend_of

WORKERS = 2


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def workers(make_server, postgres, redis_server):
    """A server with several workers, on PostgreSQL and Redis."""
    return make_server(
        postgres,
        **ENVIRON,
        REDIS_URL=redis_server.url,
        WEB_CONCURRENCY=str(WORKERS),
        REALTIME_MAX_STREAMS_PER_USER="500",
    )


@pytest.fixture
def on_each(workers, stack):
    """Connects until each worker holds a client, perhaps of a user; one client of each, by
    worker."""

    def make(username=""):
        token = workers.token(username) if username else ""
        found = {}

        def all_hold():
            client = stack.enter_context(Client(workers, token=token)).established()
            found.setdefault(workers.holders([client.port])[0], client)
            return found.keys() == set(workers.workers)

        wait_until(all_hold, "every worker to hold a client")
        return found

    return make


def test_every_worker_delivers_what_a_backend_triggers_in_the_order_of_streams(
    workers, on_each, stack
):
    alice = stack.enter_context(workers.client())
    todo_list = alice.post("/api/todo-lists/", json={"name": "x"}).json()["id"]
    channel = f"private-todo-list.{todo_list}"
    clients = list(on_each("alice").values())
    for client in clients:
        client.subscribe(channel)
    streams = [
        stack.enter_context(Stream(workers.url, [channel], token=workers.token())).opened()
        for _ in range(4)
    ]
    backend = backend_of(workers)
    for n in range(10):
        alice.post("/api/todo-items/", json={"todo_list": todo_list, "text": f"item {n}"})
        backend.trigger(channel, "note", {"text": f"note {n}"})
    expected = [f"{kind} {n}" for n in range(10) for kind in ("item", "note")]
    for client in clients:
        assert [client.change()[1]["text"] for _ in expected] == expected
    for stream in streams:
        assert [stream.change()[1]["data"]["text"] for _ in expected] == expected


def test_client_events_exclusion_and_users_reach_across_workers(workers, on_each):
    one, other = on_each("alice").values()
    channel = "private-across"
    for client in (one, other):
        client.subscribe(channel, auth=APP.channel_auth(client.id, channel))
        client.sign_in()
    one.send("client-x", {"n": 1}, channel=channel)
    assert other.change() == ("client-x", {"n": 1})
    backend = backend_of(workers)
    backend.trigger(channel, "first", 1, socket_id=other.id)
    backend.trigger(channel, "second", 2)
    assert [one.change(), one.change()] == [("first", 1), ("second", 2)]
    assert other.change() == ("second", 2)
    backend.terminate_user_connections("1")
    assert [one.closed(), other.closed()] == [codes.UNAUTHORIZED] * 2


def test_a_right_that_ends_ends_the_subscriptions_of_every_worker(workers, on_each, stack):
    alice = stack.enter_context(workers.client())
    todo_list = alice.post("/api/todo-lists/", json={"name": "x"}).json()["id"]
    members = f"/api/todo-lists/{todo_list}/members/"
    alice.post(members, json={"username": "bob"})
    channel = f"private-todo-list.{todo_list}"
    clients = list(on_each("bob").values())
    for client in clients:
        client.subscribe(channel)
    alice.delete(f"{members}bob/")
    ended = time.monotonic() + 5
    for client in clients:
        frame = client.until("pusher:subscription_error", max(0.1, ended - time.monotonic()))
        assert (frame["channel"], frame["data"]["status"]) == (channel, 403)
    alice.post("/api/todo-items/", json={"todo_list": todo_list, "text": "secret"})
    for client in clients:
        client.is_quiet()


def member(client, channel, user_id):
    data = json.dumps({"user_id": user_id})
    auth = APP.channel_auth(client.id, channel, data)
    frame = client.subscribe(channel, auth=auth, channel_data=data)
    return json.loads(frame["data"])["presence"]["ids"]


def test_a_worker_that_is_killed_leaves_no_gap_and_no_ghost(workers, on_each, stack):
    presence, public = "presence-killed", "killed"
    (worker, victim), (_, witness) = on_each().items()
    positions = [client.subscribe(public)["id"] for client in (victim, witness)]
    assert member(victim, presence, "victim") == ["victim"]
    assert member(witness, presence, "witness") == ["victim", "witness"]
    os.kill(worker, signal.SIGKILL)
    with pytest.raises(Closed) as closed:
        while True:
            victim.next()
    assert closed.value.code == 1006
    backend = backend_of(workers)
    for n in range(5):
        backend.trigger(public, "n", n)
    again = stack.enter_context(Client(workers)).established()
    again.subscribe(public, last_event_id=positions[0])
    assert [again.change()[1] for _ in range(5)] == list(range(5))
    left = witness.until("pusher_internal:member_removed")
    assert json.loads(left["data"]) == {"user_id": "victim"}
    workers.replaces(worker)


def test_a_worker_that_ends_sends_its_clients_away_one_after_the_other(workers, on_each, stack):
    worker, _ = next(iter(on_each().items()))
    clients = [stack.enter_context(Client(workers)).established() for _ in range(30)]
    mine = [client for client in clients if workers.holders([client.port])[0] == worker]
    positions = [client.subscribe("ending")["id"] for client in mine]
    os.kill(worker, signal.SIGTERM)
    backend_of(workers).trigger("ending", "late", 1)
    for client, position in zip(mine, positions, strict=True):
        assert client.closed() == codes.OVER_CAPACITY
        again = stack.enter_context(Client(workers)).established()
        again.subscribe("ending", last_event_id=position)
        assert again.change() == ("late", 1)
    workers.replaces(worker)
    assert "Traceback" not in workers.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_server_that_ends_closes_each_connection_by_a_code(make_server, stack, number):
    server = make_server(**ENVIRON)
    clients = [stack.enter_context(Client(server)).established() for _ in range(50)]
    os.killpg(server.process.pid, number)
    assert [client.closed() for client in clients] == [codes.OVER_CAPACITY] * 50
    assert server.wait() == 0
