"""Messages of clients: what is wrong with them, and what they tell each other."""

import json

import pytest

from realtime.pusher import codes
from tests.streams import Stream
from tests.websockets import APP


@pytest.mark.parametrize(
    "message", ["junk", b"bytes", "[]", '{"event":"x"}', '{"event":"pusher:subscribe","data":7}']
)
def test_after_nonsense_all_goes_on(connect, message):
    client = connect().established()
    client.socket.send(message)
    frame = client.next()
    assert frame["event"] == "pusher:error"
    assert frame["data"]["code"] is None
    client.is_quiet()


def test_what_is_too_large_ends_the_connection(connect):
    client = connect().established()
    client.send("pusher:ping", "x" * 65536)
    assert client.closed() == codes.TOO_BIG


def test_no_message_leaves_a_trace_in_the_log(connect, app_server):
    client = connect().established()
    channels = ["a", "private-a", "presence-a", "cache-a", "#server-to-user-1", "a\x00", "ü"]
    for channel in channels:
        for last in ("", "junk", "1-\x00", "0-nowhere_"):
            data = '{"user_id":"\\u0000"}'
            auth = APP.channel_auth(client.id, channel)
            client.ask(channel, auth=auth, last_event_id=last)
            client.ask(channel, auth=auth, last_event_id=last, channel_data=data)
            client.send("pusher:unsubscribe", {"channel": channel})
    client.send("pusher:ping", {})
    client.until("pusher:pong")
    assert "Traceback" not in app_server.log


# Client events


def test_client_events_reach_the_others(connect, shared, app_server, tokens):
    channel = shared[2]
    sender, other = connect("alice").established(), connect("bob").established()
    for client in (sender, other):
        client.subscribe(channel)
    with Stream(app_server.url, [channel], token=tokens["bob"]) as stream:
        stream.opened()
        sender.send("client-typing", {"who": "alice"}, channel=channel)
        frame = other.until("client-typing")
        assert json.loads(frame["data"]) == {"who": "alice"}
        assert "id" not in frame
        assert stream.change()[0] == "client-typing"
    sender.send("pusher:ping", {})
    while (frame := sender.next())["event"] != "pusher:pong":
        assert frame["event"] != "client-typing"


def test_client_events_come_only_so_fast(connect, shared):
    channel = shared[2]
    client = connect("alice").established()
    client.subscribe(channel)
    for n in range(11):
        client.send("client-n", n, channel=channel)
    assert client.until("pusher:error")["data"]["code"] == codes.CLIENT_EVENT_REFUSED
