"""Streams that a real Pushpin holds: all promises are the same as without it."""

import json
from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.e2e.pushpin.conftest import add, channel, feeds, held, texts
from tests.streams import Stream


def test_events_of_all_channels_arrive_in_order_and_nobody_else_holds_the_stream(lists):
    server, pushpin, alice, (one, two) = lists
    with Stream(pushpin.url, [channel(one), channel(two)], token=server.token()) as stream:
        opening = stream.next()
        assert opening.event == "stream-open"
        assert opening.id
        assert opening.retry
        headers = stream.response.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert not [name for name in headers if name.startswith("grip")]
        for number in range(20):
            add(alice, (one, two)[number % 2], str(number))
        assert texts(stream, 20) == [str(number) for number in range(20)]
        assert held(server) == 0
        assert len(feeds(server, one)) == 1


def test_a_quiet_stream_gets_keep_alives_and_its_position(lists):
    server, pushpin, alice, (one, two) = lists
    with Stream(pushpin.url, [channel(one)], token=server.token()) as stream:
        start = stream.next().id
        assert stream.next(2.5).event == "keep-alive"
        # Not for this stream, but it must not fall behind the log.
        add(alice, two, "elsewhere")
        position = stream.until(lambda event: event.event == "keep-alive" and event.id != start)
        assert int(position[-1].id.partition("-")[0]) == int(start.partition("-")[0]) + 1


def test_one_comes_back_to_exactly_what_one_missed(lists):
    server, pushpin, alice, (one, two) = lists
    names = [channel(one), channel(two)]
    with Stream(pushpin.url, names, token=server.token()) as stream:
        stream.opened()
        add(alice, one, "seen")
        assert texts(stream, 1) == ["seen"]
    for text in ("first", "second"):
        add(alice, two, text)
    came_from = stream.last_event_id
    with Stream(pushpin.url, names, token=server.token(), last_event_id=came_from) as stream:
        assert stream.opened().last_event_id == came_from
        add(alice, one, "third")
        assert texts(stream, 3) == ["first", "second", "third"]


def test_a_long_replay_comes_whole_and_once(lists):
    server, pushpin, alice, (one, _) = lists
    token = server.token()
    with Stream(pushpin.url, [channel(one)], token=token) as stream:
        start = stream.opened().last_event_id
    for number in range(35):
        add(alice, one, str(number))
    with Stream(pushpin.url, [channel(one)], token=token, last_event_id=start) as stream:
        assert texts(stream, 35) == [str(number) for number in range(35)]
        add(alice, one, "live")
        assert texts(stream, 1) == ["live"]


def test_a_burst_comes_whole_and_once(lists):
    server, pushpin, _, (one, _) = lists
    with Stream(pushpin.url, [channel(one)], token=server.token()) as stream:
        stream.opened()
        server.shell(
            "from todos.models import TodoItem\n"
            "TodoItem.objects.bulk_create("
            f"TodoItem(todo_list_id={one}, text=str(n), position=n) for n in range(1000))"
        )
        assert texts(stream, 1000) == [str(number) for number in range(1000)]


def test_those_who_come_and_go_while_several_write_miss_and_repeat_nothing(lists):
    server, pushpin, alice, todo_lists = lists
    names, token = [channel(todo_list) for todo_list in todo_lists], server.token()
    with Stream(pushpin.url, names, token=token) as stream:
        start = came_from = stream.opened().last_event_id

    def write(todo_list):
        for number in range(50):
            add(alice, todo_list, str(number))

    found = []
    with ThreadPoolExecutor(4) as writers:
        done = [writers.submit(write, todo_list) for todo_list in todo_lists * 2]
        while len(found) < 200:
            with Stream(pushpin.url, names, token=token, last_event_id=came_from) as stream:
                for _ in range(min(7, 200 - len(found))):
                    event = stream.until(lambda event: event.event.startswith("todo-"))[-1]
                    found.append(event.id)
                came_from = stream.last_event_id
        for each in done:
            each.result()
    logged = server.query(
        f"SELECT seq, nonce FROM realtime_event WHERE seq > {start.partition('-')[0]}"
        f" AND channel IN ('{names[0]}', '{names[1]}') ORDER BY seq"
    )
    assert found == [f"{seq}-{nonce}" for seq, nonce in logged]


def test_an_unknown_position_is_reset(lists):
    server, pushpin, alice, (one, _) = lists
    with Stream(
        pushpin.url, [channel(one)], token=server.token(), last_event_id="7-elsewher"
    ) as stream:
        stream.opened()
        reset = stream.next()
        assert reset.event == "stream-reset"
        assert json.loads(reset.data)["reason"] == "unknown-id"
        add(alice, one, "after")
        assert texts(stream, 1) == ["after"]


def test_a_hole_is_healed(lists):
    server, pushpin, alice, (one, two) = lists
    with Stream(pushpin.url, [channel(one), channel(two)], token=server.token()) as stream:
        stream.opened()
        add(alice, one, "before")
        assert texts(stream, 1) == ["before"]
        (feed,) = feeds(server, one)
        # The proxy is told of an event after one that it was not told of, again and again.
        for number in range(5):
            item = {"channel": f"realtime-{feed}", "id": f"x{number}", "prev-id": "unheard-of"}
            item["http-stream"] = {"content": "event: todo-item.created\ndata: {}\n\n"}
            url = f"http://127.0.0.1:{pushpin.control_port}/publish/"
            httpx.post(url, json={"items": [item]}).raise_for_status()
            add(alice, (one, two)[number % 2], str(number))
        assert texts(stream, 5) == list("01234")
