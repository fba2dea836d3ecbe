"""What CONTRACT promises of streams, seen from outside through the real server."""

import json
import re

import httpx
import pytest

from tests.streams import Stream

ID = re.compile(r"[\x21-\x7e]{1,40}")


@pytest.fixture(scope="module")
def api(server):
    with server.client() as client:
        yield client


@pytest.fixture
def todo_list(api):
    return api.post("/api/todo-lists/", json={"name": "Mine"}).json()


@pytest.fixture
def open_stream(server, api):
    token = api.headers["Authorization"].split()[1]
    streams = []

    def opener(*channels, **options):
        streams.append(Stream(server.url, channels, token=token, **options))
        return streams[-1]

    yield opener
    for stream in streams:
        stream.close()


def channel(todo_list):
    return f"private-todo-list.{todo_list['id']}"


def add(api, todo_list, text="x", **headers):
    body = {"todo_list": todo_list["id"], "text": text}
    return api.post("/api/todo-items/", json=body, headers=headers).json()


def test_a_stream_opens_with_its_position_and_a_retry_delay(open_stream, todo_list):
    stream = open_stream(channel(todo_list))
    event = stream.next()
    assert event.event == "stream-open"
    assert ID.fullmatch(event.id)
    assert 500 <= event.retry <= 1500
    assert stream.response.headers["content-type"].startswith("text/event-stream")
    assert stream.response.headers["x-accel-buffering"] == "no"
    assert "no-transform" in stream.response.headers["cache-control"]


def test_retry_delays_differ_so_that_clients_come_back_apart(open_stream, todo_list):
    delays = {open_stream(channel(todo_list)).next().retry for _ in range(8)}
    assert len(delays) > 1


def test_a_change_is_exactly_the_rest_representation(api, open_stream, todo_list):
    stream = open_stream(channel(todo_list)).opened()
    item = add(api, todo_list, "Zürich \u2028 <b>\n", **{"X-Mutation-ID": "m 1"})
    kind, message = stream.change()
    assert kind == "todo-item.created"
    assert message == {"channel": channel(todo_list), "data": item, "mutation": "m 1"}
    changed = api.patch(f"/api/todo-items/{item['id']}/", json={"done": True}).json()
    kind, message = stream.change()
    assert kind == "todo-item.updated"
    assert message == {"channel": channel(todo_list), "data": changed, "changed": ["done"]}
    api.delete(f"/api/todo-items/{item['id']}/")
    kind, message = stream.change()
    assert (kind, message["data"]) == ("todo-item.deleted", {"id": item["id"]})


def test_a_save_that_changes_nothing_is_silent(api, open_stream, todo_list):
    item = add(api, todo_list)
    stream = open_stream(channel(todo_list)).opened()
    same = api.patch(f"/api/todo-items/{item['id']}/", json={"text": item["text"]}).json()
    assert same == item
    add(api, todo_list, "next")
    assert stream.change()[1]["data"]["text"] == "next"


def test_a_moved_item_leaves_one_channel_and_enters_the_other(api, open_stream, todo_list):
    other = api.post("/api/todo-lists/", json={"name": "Other"}).json()
    item = add(api, todo_list)
    old, new = open_stream(channel(todo_list)).opened(), open_stream(channel(other)).opened()
    moved = api.patch(f"/api/todo-items/{item['id']}/", json={"todo_list": other["id"]}).json()
    assert old.change() == (
        "todo-item.left",
        {"channel": channel(todo_list), "data": {"id": item["id"]}},
    )
    assert new.change() == ("todo-item.entered", {"channel": channel(other), "data": moved})


def test_deleting_a_list_tells_of_its_items_too(api, open_stream, todo_list):
    items = [add(api, todo_list, str(n)) for n in range(3)]
    stream = open_stream(channel(todo_list)).opened()
    api.delete(f"/api/todo-lists/{todo_list['id']}/")
    told = [stream.change() for _ in range(4)]
    assert {m["data"]["id"] for kind, m in told if kind == "todo-item.deleted"} == {
        item["id"] for item in items
    }
    assert told[-1][0] == "todo-list.deleted"


@pytest.mark.parametrize("way", ["header", "query"])
def test_who_resumes_gets_exactly_what_was_missed(api, open_stream, todo_list, way):
    first = open_stream(channel(todo_list)).opened()
    add(api, todo_list, "seen")
    first.change()
    seen = first.last_event_id
    first.close()
    for n in range(3):
        add(api, todo_list, str(n))
    options = {"last_event_id": seen} if way == "header" else {"params": {"lastEventId": seen}}
    second = open_stream(channel(todo_list), **options)
    opening = second.next()
    assert (opening.event, opening.id) == ("stream-open", seen)
    add(api, todo_list, "live")
    texts = [second.change()[1]["data"]["text"] for _ in range(4)]
    assert texts == ["0", "1", "2", "live"]


@pytest.mark.parametrize(
    "last_event_id",
    ["garbage", "1", "0-00000000", "999999999999-abcdefgh", "-1-abcdefgh", "1-abcdefgh\u00ff",
     "x" * 3000, "1e5-abcdefgh", "null"],
)  # fmt: skip
def test_an_id_that_cannot_be_resumed_from_is_an_explicit_reset(
    open_stream, todo_list, last_event_id
):
    params = {"lastEventId": last_event_id}
    stream = open_stream(channel(todo_list), params=params)
    opening, reset = stream.next(), stream.next()
    assert (opening.event, reset.event) == ("stream-open", "stream-reset")
    assert reset.id != opening.id
    assert json.loads(reset.data) == {"channels": [channel(todo_list)], "reason": "unknown-id"}


def test_who_missed_the_reset_itself_is_reset_again(open_stream, todo_list):
    first = open_stream(channel(todo_list), last_event_id="1-abcdefgh")
    # The connection breaks between the two.
    opening = first.next()
    first.close()
    second = open_stream(channel(todo_list), last_event_id=opening.id)
    second.opened()
    reset = second.next()
    assert reset.event == "stream-reset"
    second.close()
    third = open_stream(channel(todo_list), last_event_id=reset.id).opened()
    assert third.next().event == "keep-alive"


def test_a_quiet_stream_is_kept_alive(open_stream, todo_list):
    stream = open_stream(channel(todo_list)).opened()
    for _ in range(2):
        event = stream.next()
        assert (event.event, event.data) == ("keep-alive", "")


def test_one_stream_carries_many_channels(api, open_stream, todo_list):
    lists = [
        todo_list,
        *(api.post("/api/todo-lists/", json={"name": str(n)}).json() for n in range(5)),
    ]
    stream = open_stream(*map(channel, lists)).opened()
    for one in lists:
        add(api, one)
    assert [stream.change()[1]["channel"] for _ in lists] == [channel(one) for one in lists]


def test_every_read_says_where_to_subscribe_and_from_which_position(api, open_stream, todo_list):
    item = add(api, todo_list)
    for path in (
        "/api/todo-items/",
        f"/api/todo-items/?todo_list={todo_list['id']}",
        f"/api/todo-items/{item['id']}/",
        f"/api/todo-lists/{todo_list['id']}/",
    ):
        link = api.get(path).headers.get("link")
        if link is None:
            assert path == "/api/todo-items/"
            continue
        match = re.fullmatch(r'<(/api/events/\?.*)>; rel="stream"; last-event-id="(.+)"', link)
        changed = api.patch(f"/api/todo-items/{item['id']}/", json={"text": path}).json()
        names = httpx.URL(match[1]).params.get_list("channel")
        stream = open_stream(*names, last_event_id=match[2])
        # What was committed just before may have got its number after the position was read.
        while stream.change()[1]["data"] != changed:
            pass


def test_sharing_enters_and_unsharing_leaves_the_members_own_channel(server, api, todo_list):
    with server.client("bob") as bob:
        me = bob.get("/api/todo-lists/").headers["link"]
        name = re.search(r"private-user\.\d+", me)[0]
        token = bob.headers["Authorization"].split()[1]
        with Stream(server.url, [name], token=token) as stream:
            stream.opened()
            path = f"/api/todo-lists/{todo_list['id']}/members/"
            shared = api.post(path, json={"username": "bob"}).json()
            assert stream.change() == ("todo-list.entered", {"channel": name, "data": shared})
            api.delete(f"{path}bob/")
            kind, message = stream.change()
            assert (kind, message["data"]) == ("todo-list.left", {"id": todo_list["id"]})


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("channel=", 400),
        ("channel=a%20b", 400),
        ("channel=a%0Adata:x", 400),
        ("channel=%00", 400),
        ("channel=%ff", 400),
        ("channel=" + "x" * 165, 400),
        ("&".join(f"channel=c{n}" for n in range(101)), 400),
        ("&".join(f"x{n}=1" for n in range(1001)), 400),
        ("channel=a&lastEventId=1&lastEventId=2", 400),
        ("channel=a&token=abc", 400),
        ("channel=a&access_token=abc", 400),
        ("channel=unknown", 403),
        ("channel=private-todo-list.999999", 403),
        ("channel=private-todo-list.99999999999999999999999", 403),
        ("channel=private-user.999999", 403),
        ("channel=realtime.control", 403),
        ("&".join(f"channel={n:03}" + "%3D" * 161 for n in range(100)), 403),
    ],
)
def test_a_bad_request_is_refused_with_an_error_of_rest_framework(api, query, status):
    answer = api.get(f"/api/events/?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(answer.json()["detail"], str)


def test_who_is_not_logged_in_gets_a_401(server):
    for headers in ({}, {"Authorization": "Token wrong"}, {"Authorization": "Basic !!"}):
        answer = httpx.get(f"{server.url}/api/events/?channel=private-user.1", headers=headers)
        assert answer.status_code == 401
        assert "www-authenticate" in answer.headers


def test_a_foreign_channel_and_an_unknown_one_look_the_same(server, api, todo_list):
    with server.client("bob") as bob:
        answers = [
            bob.get("/api/events/", params={"channel": name})
            for name in (channel(todo_list), "private-todo-list.999999", "private-x", "nonsense")
        ]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.content for answer in answers}) == 1
    assert len({tuple(sorted(a.headers.keys())) for a in answers}) == 1


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("text/event-stream", 200),
        ("application/json", 200),
        ("text/html", 200),
        ("*/*", 200),
        ("image/png", 406),
        ("application/xml;q=1", 406),
    ],
)
def test_the_accept_header_decides_on_the_form(api, todo_list, accept, status):
    with api.stream(
        "GET",
        "/api/events/",
        params={"channel": channel(todo_list)},
        headers={"Accept": accept},
    ) as answer:
        assert answer.status_code == status
        expected = accept if status == 200 and accept != "*/*" else None
        if expected:
            assert answer.headers["content-type"].startswith(expected)


def test_the_page_names_its_channels_and_ends(api, todo_list):
    answer = api.get(
        "/api/events/",
        params={"channel": channel(todo_list)},
        headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
    )
    assert channel(todo_list) in answer.text
    assert answer.text.rstrip().endswith("</html>")
    assert "realtime/stream." in answer.text


def test_a_page_on_which_nothing_was_chosen_yet_is_no_error(api):
    answer = api.get("/api/events/", headers={"Accept": "text/html"})
    assert answer.status_code == 200
    assert 'name="channel"' in answer.text
    for accept in ("text/event-stream", "application/json"):
        answer = api.get("/api/events/", headers={"Accept": accept})
        assert (answer.status_code, "at least one channel" in answer.text) == (400, True)


def test_an_error_is_a_page_too(api):
    answer = api.get("/api/events/?channel=!", headers={"Accept": "text/html"})
    assert answer.status_code == 400
    assert "A channel&#x27;s name is" in answer.text
    assert answer.headers["content-type"].startswith("text/html")


def test_head_does_not_hold_the_connection(api, todo_list):
    answer = api.head("/api/events/", params={"channel": channel(todo_list)})
    assert answer.status_code == 200
    assert answer.content == b""


def test_no_instruction_for_the_holder_reaches_a_client(open_stream, todo_list):
    stream = open_stream(channel(todo_list)).opened()
    assert not [name for name in stream.response.headers if name.startswith("grip")]


def test_forged_grip_headers_change_nothing(server, api, todo_list):
    headers = {
        "Grip-Sig": "forged",
        "Grip-Hold": "stream",
        "Grip-Last": "x; last-id=1",
        "Realtime-Holder": "1",
    }
    answer = api.get("/api/events/?channel=nonsense", headers=headers)
    assert answer.status_code == 403


def test_too_many_streams_of_one_user_are_refused(make_server):
    server = make_server(REALTIME_MAX_STREAMS_PER_USER="2")
    token = server.token()
    streams = [Stream(server.url, ["private-user.1"], token=token).opened() for _ in range(2)]
    third = Stream(server.url, ["private-user.1"], token=token)
    assert third.rest() == []
    assert third.response.status_code == 429
    streams.pop().close()
    with server.client() as api:
        assert api.get("/api/todo-lists/").status_code == 200


def test_triggers_from_another_process_arrive_logged(server, open_stream, todo_list):
    stream = open_stream(channel(todo_list)).opened()
    name = channel(todo_list)
    server.shell(f"import realtime; realtime.trigger('{name}', 'note', {{'text': 'hi'}})")
    assert stream.change() == ("note", {"channel": name, "data": {"text": "hi"}})


@pytest.mark.parametrize("ring", ["10", "1000"])
def test_a_long_replay_arrives_on_one_connection(make_server, ring):
    # Much more than a reader may leave unread, by the log's pages or from the worker's memory.
    server = make_server(
        REALTIME_STREAM_BUFFER="20000", REALTIME_REPLAY_PAGE="50", REALTIME_RING=ring
    )
    token, name = server.token(), "private-todo-list.1"
    with Stream(server.url, [name], token=token) as stream:
        start = stream.opened().last_event_id
    server.shell(
        "from todos.models import TodoItem\n"
        "TodoItem.objects.bulk_create(TodoItem(todo_list_id=1, position=n, text=str(n) * 100)"
        " for n in range(400))"
    )
    with Stream(server.url, [name], token=token, last_event_id=start) as stream:
        stream.opened()
        positions = [stream.change()[1]["data"]["position"] for _ in range(400)]
        assert positions == list(range(400))


def test_an_event_larger_than_the_buffer_is_delivered(make_server):
    server = make_server(REALTIME_STREAM_BUFFER="1000")
    with Stream(server.url, ["private-user.1"], token=server.token()) as stream:
        stream.opened()
        server.shell("import realtime; realtime.trigger('private-user.1', 'large', 'x' * 100000)")
        assert len(stream.change()[1]["data"]) == 100000


def test_a_replay_of_megabytes_is_delivered(make_server):
    server = make_server()
    token, name = server.token(), "private-user.1"
    with Stream(server.url, [name], token=token) as stream:
        start = stream.opened().last_event_id
    server.shell(f"import realtime; realtime.trigger('{name}', 'large', 'x' * 3_000_000)")
    with Stream(server.url, [name], token=token, last_event_id=start) as stream:
        assert len(stream.opened().change()[1]["data"]) == 3_000_000
