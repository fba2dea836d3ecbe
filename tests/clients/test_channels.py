"""What Pusher's clients hear on channels of every kind."""

from collections.abc import Iterator

import httpx
import pusher
import pytest

from tests.clients.client import FAILED, SUCCEEDED, Connect, Node
from tests.clients.test_http import Npm
from tests.servers import Server, wait_until


@pytest.fixture
def npm(node: Node, pusher_server: Server) -> Npm:
    return Npm(node, pusher_server)


@pytest.fixture(scope="module")
def alice(pusher_server: Server) -> Iterator[httpx.Client]:
    with pusher_server.client("alice") as client:
        yield client


@pytest.fixture
def make_list(alice: httpx.Client) -> int:
    """A list of alice's; its id."""
    return int(alice.post("/api/todo-lists/", json={"name": "x"}).json()["id"])


# Public


def test_a_trigger_reaches_every_client_with_its_data_as_it_was(
    connect: Connect, backend: pusher.Pusher, npm: Npm
) -> None:
    clients = [connect(), connect()]
    for client in clients:
        client.subscribed("public-a")
    values = [{"message": "hello world"}, "plain", 7, None, ["ä", {"n": 1.5}], "", "{broken"]
    for value in values:
        backend.trigger("public-a", "python", value)
        assert npm.call("trigger", "public-a", "npm", value) == [200, {}]
    for client in clients:
        client.wait("public-a", "npm", len(values))
        assert client.heard("public-a", "python") == values
        assert client.heard("public-a", "npm") == values


def test_the_connection_that_caused_an_event_can_be_left_out(
    connect: Connect, backend: pusher.Pusher, npm: Npm
) -> None:
    sender, other = connect(), connect()
    for client in (sender, other):
        client.subscribed("public-b")
    socket_id = sender.connected()
    backend.trigger("public-b", "first", {}, socket_id)
    npm.call("trigger", "public-b", "second", {}, {"socket_id": socket_id})
    backend.trigger("public-b", "third", {})
    for client in (sender, other):
        client.wait("public-b", "third")
    sent = {"first", "second", "third"}
    heard = [[event for event, _ in client.heard("public-b")] for client in (sender, other)]
    assert [event for event in heard[0] if event in sent] == ["third"]
    assert [event for event in heard[1] if event in sent] == ["first", "second", "third"]


def test_batches_and_many_channels_arrive_in_order(
    connect: Connect, backend: pusher.Pusher, npm: Npm
) -> None:
    client = connect()
    for name in ("public-c", "public-d"):
        client.subscribed(name)
    backend.trigger_batch([{"channel": "public-c", "name": "n", "data": n} for n in range(10)])
    npm.call(
        "triggerBatch", [{"channel": "public-c", "name": "n", "data": n} for n in range(10, 20)]
    )
    backend.trigger(["public-c", "public-d"], "both", 1)
    client.wait("public-d", "both")
    client.wait("public-c", "both")
    assert client.heard("public-c", "n") == list(range(20))


def test_after_unsubscribing_nothing_comes(connect: Connect, backend: pusher.Pusher) -> None:
    client = connect()
    client.subscribed("public-e")
    client.subscribed("public-f")
    client.call("(pusher) => pusher.unsubscribe('public-e')")
    backend.trigger(["public-e", "public-f"], "late", {})
    client.wait("public-f", "late")
    assert client.heard("public-e", "late") == []


@pytest.mark.parametrize("name", ["x" * 165, "no spaces", "nor/slashes"])
def test_a_bad_name_is_refused(connect: Connect, name: str) -> None:
    client = connect()
    client.subscribe(name)
    error = client.wait(name, FAILED)
    assert (error["type"], error["status"]) == ("LimitReached", 4009)


def test_a_connection_has_a_hundred_channels(connect: Connect) -> None:
    client = connect()
    for n in range(101):
        client.subscribe(f"many-{n}")
    error = client.wait("many-100", FAILED)
    assert error["type"] == "LimitReached"
    client.wait("many-99", SUCCEEDED)


# Private


def test_who_may_read_a_channel_may_subscribe(
    connect: Connect, alice: httpx.Client, make_list: int
) -> None:
    client = connect("alice")
    channel = f"private-todo-list.{make_list}"
    client.subscribed(channel)
    made = alice.post("/api/todo-items/", json={"todo_list": make_list, "text": "Milk"}).json()
    assert client.wait(channel, "todo-item.created") == made
    alice.patch(f"/api/todo-items/{made['id']}/", json={"done": True})
    assert client.wait(channel, "todo-item.updated")["done"] is True
    alice.delete(f"/api/todo-items/{made['id']}/")
    assert client.wait(channel, "todo-item.deleted") == {"id": made["id"]}


def test_who_may_not_is_told(connect: Connect, make_list: int) -> None:
    channel = f"private-todo-list.{make_list}"
    for user, status in (("bob", 403), ("", 401)):
        client = connect(user)
        client.subscribe(channel)
        assert client.wait(channel, FAILED)["status"] == status


def test_a_wrong_signature_is_refused_by_the_server(connect: Connect) -> None:
    forged = """(key, options) => new Pusher(key, { ...options, channelAuthorization: {
        customHandler: (_, answer) => answer(null, { auth: `${key}:${'0'.repeat(64)}` }) } })"""
    client = connect(how=forged)
    client.subscribe("private-x")
    error = client.wait("private-x", FAILED)
    assert (error["type"], error["status"]) == ("AuthError", 401)


def test_a_right_that_ends_ends_the_subscription(
    connect: Connect, alice: httpx.Client, make_list: int
) -> None:
    members = f"/api/todo-lists/{make_list}/members/"
    alice.post(members, json={"username": "bob"}).raise_for_status()
    client = connect("bob")
    channel = f"private-todo-list.{make_list}"
    client.subscribed(channel)
    alice.delete(f"{members}bob/").raise_for_status()
    error = client.wait(channel, FAILED)
    assert (error["type"], error["status"]) == ("AuthError", 403)
    alice.post("/api/todo-items/", json={"todo_list": make_list, "text": "secret"})
    client.subscribed("public-g")
    assert client.heard(channel, "todo-item.created") == []


# Client events


def test_client_events_reach_the_others_only(connect: Connect, make_list: int) -> None:
    channel = f"private-todo-list.{make_list}"
    sender, other = connect("alice"), connect("alice")
    for client in (sender, other):
        client.subscribed(channel)
    trigger = "(pusher, [channel, n]) => pusher.channel(channel).trigger('client-typing', { n })"
    for n in range(3):
        assert sender.call(trigger, [channel, n]) is True
    other.wait(channel, "client-typing", 3)
    assert other.heard(channel, "client-typing") == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert sender.heard(channel, "client-typing") == []


def test_too_many_client_events_are_refused_without_a_disconnection(
    connect: Connect, make_list: int
) -> None:
    channel = f"private-todo-list.{make_list}"
    sender = connect("alice")
    sender.subscribed(channel)
    burst = """(pusher, channel) => {
        for (let n = 0; n < 30; n += 1) pusher.channel(channel).trigger('client-typing', { n });
    }"""
    sender.call(burst, channel)
    error = sender.wait("connection", "error")
    assert error["data"]["code"] == 4301
    assert sender.call("(pusher) => pusher.connection.state") == "connected"


# Cache channels


def test_a_cache_channel_begins_with_its_last_event(
    connect: Connect, backend: pusher.Pusher
) -> None:
    first = connect()
    first.subscribed("cache-weather")
    first.wait("cache-weather", "pusher:cache_miss")
    for degrees in (7, 8):
        backend.trigger("cache-weather", "now", {"degrees": degrees})
    first.wait("cache-weather", "now", 2)
    second = connect()
    second.subscribed("cache-weather")
    assert second.wait("cache-weather", "now") == {"degrees": 8}
    assert second.heard("cache-weather", "pusher:cache_miss") == []
    assert len(second.heard("cache-weather", "now")) == 1


# Counts


def test_subscribers_are_counted(connect: Connect, backend: pusher.Pusher) -> None:
    first, second = connect(), connect()
    first.subscribed("public-h")
    second.subscribed("public-h")
    counted = "pusher:subscription_count"
    wait_until(
        lambda: {"subscription_count": 2} in first.heard("public-h", counted), "two to be counted"
    )
    second.disconnect()
    wait_until(
        lambda: first.heard("public-h", counted)[-1] == {"subscription_count": 1}, "one to be left"
    )
    assert "public-h" in backend.channels_info("public-")["channels"]
