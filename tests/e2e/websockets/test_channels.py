"""Channels of all kinds: who gets which events of them."""

import json

import httpx
import pytest

from tests.websockets import APP, ENVIRON, Client


def test_public_channels_are_those_that_the_project_declares(make_server):
    server = make_server(**ENVIRON | {"REALTIME_PUBLIC_CHANNELS": "news score*"})
    with Client(server) as client:
        client.established()
        for name, status in (("news", 200), ("scores.1", 200), ("newsy", 403), ("cache-x", 403)):
            client.ask(name)
            frame = client.next()
            while frame["event"] == "pusher_internal:subscription_count":
                frame = client.next()
            refused = frame["event"] == "pusher:subscription_error"
            assert refused == (status == 403), frame
            url = f"{server.url}/api/events/?channel={name}"
            headers = {"Accept": "application/json"}
            assert httpx.get(url, headers=headers).status_code == (200 if status == 200 else 401)
            headers["Authorization"] = f"Token {server.token()}"
            assert httpx.get(url, headers=headers).status_code == status


def test_a_public_channel_gets_what_a_backend_triggers(connect, backend):
    client, other = connect().established(), connect().established()
    client.subscribe("websockets-public")
    other.subscribe("websockets-other")
    backend.trigger("websockets-public", "greeting", {"text": "hello"})
    assert client.change() == ("greeting", {"text": "hello"})
    backend.trigger("websockets-public", "greeting", "bare")
    assert client.until("greeting")["data"] == "bare"
    backend.trigger("websockets-other", "last", 1)
    assert other.change() == ("last", 1)


def test_who_caused_an_event_may_be_left_out(connect, backend):
    cause, other = connect().established(), connect().established()
    for client in (cause, other):
        client.subscribe("websockets-cause")
    backend.trigger("websockets-cause", "first", 1, socket_id=cause.id)
    backend.trigger("websockets-cause", "second", 2)
    assert [other.change() for _ in range(2)] == [("first", 1), ("second", 2)]
    assert cause.change() == ("second", 2)


def test_a_private_channel_gets_the_changes_of_its_objects(connect, shared):
    alice, todo_list, channel = shared
    client = connect("bob").established()
    client.subscribe(channel)
    alice.post(
        "/api/todo-items/",
        json={"todo_list": todo_list, "text": "Tea"},
        headers={"X-Mutation-ID": "m7"},
    )
    frame = client.until("todo-item.created")
    assert json.loads(frame["data"])["text"] == "Tea"
    assert frame["channel"] == channel
    assert frame["mutation"] == "m7"


def test_a_wrong_signature_is_refused_and_the_connection_goes_on(connect, shared):
    channel = shared[2]
    client = connect("alice").established()
    client.ask(channel, auth=f"{APP.key}:{'0' * 64}")
    frame = client.next()
    assert (frame["event"], frame["channel"]) == ("pusher:subscription_error", channel)
    assert (frame["data"]["type"], frame["data"]["status"]) == ("AuthError", 401)
    client.subscribe(channel)


def test_a_signature_of_a_backend_that_has_the_secret_is_enough(connect):
    client = connect().established()
    channel = "private-of-another-backend"
    client.subscribe(channel, auth=APP.channel_auth(client.id, channel))


def test_who_has_unsubscribed_hears_nothing_and_may_come_back(connect, backend):
    client, witness = connect().established(), connect().established()
    witness.subscribe("websockets-left")
    client.subscribe("websockets-left")
    client.send("pusher:unsubscribe", {"channel": "websockets-left"})
    client.send("pusher:unsubscribe", {"channel": "never-was"})
    client.send("pusher:ping", {})
    client.until("pusher:pong")
    backend.trigger("websockets-left", "missed", 1)
    assert witness.change() == ("missed", 1)  # Else it might still be to come.
    client.subscribe("websockets-left")
    backend.trigger("websockets-left", "heard", 2)
    assert client.change() == ("heard", 2)


def test_there_is_no_second_subscription(connect):
    client = connect().established()
    client.subscribe("websockets-twice")
    client.ask("websockets-twice")
    frame = client.until("pusher:error")
    assert frame["data"]["message"] == "Existing subscription to channel websockets-twice"


def test_a_connection_has_only_so_many_channels(connect):
    client = connect().established()
    for n in range(100):
        client.ask(f"websockets-many.{n}")
    client.ask("websockets-many.100")
    frame = client.until("pusher:subscription_error")
    assert (frame["channel"], frame["data"]["status"]) == ("websockets-many.100", 4100)


def test_who_subscribes_learns_how_many_there_are_also_if_that_is_as_before(connect):
    client = connect().established()
    counted = "pusher_internal:subscription_count"
    client.subscribe("counted")
    assert json.loads(client.until(counted)["data"]) == {"subscription_count": 1}
    client.send("pusher:unsubscribe", {"channel": "counted"})
    client.subscribe("counted")
    assert json.loads(client.until(counted)["data"]) == {"subscription_count": 1}


# Cache channels


@pytest.mark.parametrize("channel", ["cache-websockets", "private-cache-websockets"])
def test_a_cache_channel_begins_with_its_last_event(connect, backend, channel):
    client = connect().established()
    auth = APP.channel_auth(client.id, channel)
    client.subscribe(channel, auth=auth)
    assert client.next()["event"] == "pusher:cache_miss"
    backend.trigger(channel, "first", 1)
    backend.trigger(channel, "second", {"n": 2})
    seen = client.until("second")["id"]
    later = connect().established()
    later.subscribe(channel, auth=APP.channel_auth(later.id, channel))
    assert later.change() == ("second", {"n": 2})
    # Who resumes has it already.
    third = connect().established()
    third.subscribe(channel, auth=APP.channel_auth(third.id, channel), last_event_id=seen)
    backend.trigger(channel, "third", 3)
    assert third.change() == ("third", 3)


def test_a_cache_channel_begins_with_its_last_event_also_for_who_caused_it(connect, backend):
    client, other = connect().established(), connect().established()
    other.subscribe("cache-own")
    backend.trigger("cache-own", "saved", 1, client.id)
    assert other.change() == ("saved", 1)  # From then on, it is the channel's last event.
    client.subscribe("cache-own")
    assert client.change() == ("saved", 1)
