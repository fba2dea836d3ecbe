"""What one has missed, by the same positions as a stream's."""

import json
import re

import pytest

from tests.e2e.websockets.conftest import add
from tests.streams import Stream


def test_who_comes_back_gets_exactly_what_was_missed(connect, backend):
    client = connect().established()
    position = client.subscribe("websockets-resumed")["id"]
    for n in range(3):
        backend.trigger("websockets-resumed", "n", n)
    seen = client.until("n")["id"]
    client.close()
    later = connect().established()
    assert later.subscribe("websockets-resumed", last_event_id=seen)["id"] == seen
    assert [later.change()[1] for _ in range(2)] == [1, 2]
    assert connect().established().subscribe("websockets-resumed", last_event_id=position)
    backend.trigger("websockets-resumed", "n", 3)
    assert later.change() == ("n", 3)


def test_more_than_can_be_sent_at_once_comes_in_order(connect, app_server):
    client = connect().established()
    position = client.subscribe("websockets-long")["id"]
    client.close()
    count = 2500
    app_server.shell(
        "import realtime\nfrom django.db import transaction\nwith transaction.atomic():\n"
        f" for n in range({count}): realtime.trigger('websockets-long', 'n', [n, 'x' * 500])"
    )
    later = connect().established()
    later.subscribe("websockets-long", last_event_id=position)
    assert [later.change()[1][0] for _ in range(count)] == list(range(count))


@pytest.mark.parametrize(
    "last_event_id", ["junk", "0-nowhere_", "1-deadbeef", "999999999-abcdefgh"]
)
def test_a_position_of_no_log_is_reset(connect, last_event_id):
    client = connect().established()
    client.subscribe("websockets-reset", last_event_id=last_event_id)
    frame = client.next()
    assert (frame["event"], frame["channel"]) == ("stream-reset", "websockets-reset")
    assert json.loads(frame["data"])["reason"]
    assert re.fullmatch(r"\d+-\w{8}", frame["id"])


def test_a_channel_is_a_stream_and_a_websocket_by_the_same_positions(
    connect, app_server, tokens, shared
):
    alice, todo_list, channel = shared
    with Stream(app_server.url, [channel], token=tokens["bob"]) as stream:
        stream.opened()
        client = connect("bob").established()
        client.subscribe(channel)
        for n in range(20):
            add(alice, todo_list, str(n))
        by_stream, by_socket = [], []
        for _ in range(20):
            event = stream.until(lambda event: event.event == "todo-item.created")[-1]
            by_stream.append((event.id, json.loads(event.data)["data"]))
            frame = client.until("todo-item.created")
            by_socket.append((frame["id"], json.loads(frame["data"])))
        assert by_stream == by_socket
    # What one transport has been given, the other takes.
    later = connect("bob").established()
    later.subscribe(channel, last_event_id=by_stream[9][0])
    assert [later.change()[1]["text"] for _ in range(10)] == [str(n) for n in range(10, 20)]
    with Stream(
        app_server.url, [channel], token=tokens["bob"], last_event_id=by_socket[14][0]
    ) as stream:
        texts = [stream.change()[1]["data"]["text"] for _ in range(5)]
        assert texts == [str(n) for n in range(15, 20)]
