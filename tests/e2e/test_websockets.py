"""The WebSocket path from outside, by a client that knows nothing of Pusher but the protocol."""

import json
import re
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from realtime import codes
from tests.servers import wait_until
from tests.streams import Stream
from tests.websockets import APP, ENVIRON, Client, backend_of

PATH = f"/app/{APP.key}"


@pytest.fixture(scope="module")
def tokens(app_server):
    return {name: app_server.token(name) for name in ("alice", "bob")}


@pytest.fixture
def connect(app_server, tokens):
    """Connects clients, perhaps as users."""
    with ExitStack() as stack:

        def make(username="", **options):
            client = Client(app_server, token=tokens.get(username, ""), **options)
            return stack.enter_context(client)

        yield make


@pytest.fixture
def backend(app_server):
    return backend_of(app_server)


@pytest.fixture
def shared(app_server):
    """A list of alice's, shared with bob: her REST client, its id, its channel."""
    with app_server.client() as alice:
        todo_list = alice.post("/api/todo-lists/", json={"name": "Shared"}).json()["id"]
        alice.post(f"/api/todo-lists/{todo_list}/members/", json={"username": "bob"})
        yield alice, todo_list, f"private-todo-list.{todo_list}"


def add(client, todo_list, text):
    answer = client.post("/api/todo-items/", json={"todo_list": todo_list, "text": text})
    assert answer.status_code == 201


# Handshake


def test_the_first_frame_names_the_connection(connect):
    frame = connect().next()
    assert frame["event"] == "pusher:connection_established"
    data = json.loads(frame["data"])
    assert re.fullmatch(r"\d+\.\d+", data["socket_id"])
    assert data["activity_timeout"] == 30


def test_without_an_application_it_is_said_after_accepting(make_server):
    with Client(make_server()) as client:
        assert client.closed() == codes.NO_APP


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


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/app/unknown?protocol=7", codes.NO_APP),
        (f"{PATH}?client=js", codes.NO_VERSION),
        (f"{PATH}?protocol=", codes.NO_VERSION),
        (f"{PATH}?protocol=seven", codes.BAD_VERSION),
        (f"{PATH}?protocol=7.0", codes.BAD_VERSION),
        (f"{PATH}?protocol=8", codes.UNSUPPORTED_VERSION),
        (f"{PATH}?protocol=%ff", codes.BAD_VERSION),
        (f"{PATH}?protocol=7&x=%00", codes.BAD_VERSION),
        (f"{PATH}?protocol=7&token=abc", codes.BAD_VERSION),
        ("/nowhere", codes.NO_PATH),
        ("/app/", codes.NO_PATH),
        ("/", codes.NO_PATH),
        ("/api/schema/", codes.NO_PATH),
    ],
)
def test_who_can_t_be_talked_to_is_told_why_after_accepting(connect, path, code):
    assert connect(path=path).closed() == code


def test_without_an_upgrade_there_is_nothing_to_read(app_server):
    answer = httpx.get(f"{app_server.url}{PATH}?protocol=7")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    assert "WebSocket" in answer.json()["detail"]
    assert httpx.post(f"{app_server.url}{PATH}").status_code == 426


COOKIE = {"Cookie": "theme=dark; sessionid=abc"}


def test_a_foreign_page_may_not_bring_a_session(connect, app_server):
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}):
        with pytest.raises(InvalidStatus) as refused:
            connect(headers=headers | COOKIE)
        assert refused.value.response.status_code == 403
        connect(headers=headers | {"Cookie": "theme=dark"}).established()
    connect(headers={"Origin": app_server.url} | COOKIE).established()
    connect(headers=COOKIE).established()


def test_bad_credentials_are_as_good_as_none(connect):
    connect(headers={"Authorization": "Token nonsense"}).established()


def test_a_cookie_gives_no_right(connect, app_server):
    with httpx.Client(base_url=app_server.url, follow_redirects=True) as browser:
        browser.get("/accounts/login/")
        form = {"username": "alice", "password": "realtime"}
        headers = {"X-CSRFToken": browser.cookies["csrftoken"], "Referer": app_server.url}
        browser.post("/accounts/login/", data=form, headers=headers)
        cookie = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
    client = connect(headers=cookie).established()
    client.ask("private-user.1", auth="")
    assert client.next()["data"]["status"] == 401


# Liveness


def test_a_ping_is_answered_with_the_position(connect):
    client = connect().established()
    client.send("pusher:ping", {})
    frame = client.next()
    assert (frame["event"], frame["data"]) == ("pusher:pong", "{}")
    seq, _, nonce = frame["id"].partition("-")
    assert re.fullmatch(r"\w{8}", nonce)
    for further, told in ((0, True), (10**6, False)):
        client.send("pusher:ping", {"last_event_id": f"{int(seq) + further}-{nonce}"})
        assert ("id" in client.next()) == told


def test_who_falls_silent_is_pinged_and_then_sent_away(make_server):
    server = make_server(**ENVIRON, REALTIME_KEEP_ALIVE="1", REALTIME_ACTIVITY_TIMEOUT="1")
    with Client(server) as silent, Client(server) as lively:
        assert json.loads(silent.next()["data"])["activity_timeout"] == 1
        lively.established()
        assert silent.next()["event"] == "pusher:ping"
        lively.until("pusher:ping")
        lively.send("pusher:pong", {})
        assert silent.closed() == codes.SILENT
        lively.send("pusher:ping", {})
        lively.until("pusher:pong")


# Messages


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


# Channels


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


# Positions


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


# Users


def test_a_user_is_reached_by_the_channel_of_those_who_have_signed_in(connect, backend):
    client, stranger = connect("bob").established(), connect("alice").established()
    assert json.loads(client.sign_in()["data"]["user_data"])["id"] == "2"
    client.subscribe("#server-to-user-2", auth="")
    stranger.sign_in()
    stranger.ask("#server-to-user-2")
    assert stranger.until("pusher:subscription_error")["data"]["status"] == 401
    backend.send_to_user("2", "direct", {"n": 1})
    assert client.change() == ("direct", {"n": 1})


def test_a_user_is_sent_away_with_all_connections(connect, app_server):
    client, other = connect("bob").established(), connect("bob").established()
    client.sign_in()
    backend_of(app_server).terminate_user_connections("2")
    assert client.closed() == codes.UNAUTHORIZED
    other.is_quiet()


def test_who_watches_others_is_told_of_them(connect):
    client = connect().established()
    data = json.dumps({"id": "watcher", "watchlist": ["watched"]})
    client.send("pusher:signin", {"auth": APP.user_auth(client.id, data), "user_data": data})
    online = {"name": "online", "user_ids": ["watched"]}
    offline = {"name": "offline", "user_ids": ["watched"]}

    def told():
        frame = client.until("pusher_internal:watchlist_events")
        return json.loads(frame["data"])["events"]

    assert told() == [offline]
    watched = connect().established()
    data = json.dumps({"id": "watched"})
    watched.send("pusher:signin", {"auth": APP.user_auth(watched.id, data), "user_data": data})
    assert told() == [online]
    watched.close()
    assert told() == [offline]


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


def test_who_subscribes_learns_how_many_there_are_also_if_that_is_as_before(connect):
    client = connect().established()
    counted = "pusher_internal:subscription_count"
    client.subscribe("counted")
    assert json.loads(client.until(counted)["data"]) == {"subscription_count": 1}
    client.send("pusher:unsubscribe", {"channel": "counted"})
    client.subscribe("counted")
    assert json.loads(client.until(counted)["data"]) == {"subscription_count": 1}


# Presence


def member(client, channel, user_id, info=None):
    """Subscribes as somebody whom a backend has signed for; the members."""
    data = json.dumps({"user_id": user_id, "user_info": info})
    auth = APP.channel_auth(client.id, channel, data)
    frame = client.subscribe(channel, auth=auth, channel_data=data)
    return json.loads(frame["data"])["presence"]


def test_members_see_each_other_come_and_go(connect):
    channel = "presence-websockets"
    first, second, third = (connect().established() for _ in range(3))
    assert member(first, channel, "u1", {"n": 1}) == {
        "ids": ["u1"],
        "hash": {"u1": {"n": 1}},
        "count": 1,
    }
    assert member(second, channel, "u2")["ids"] == ["u1", "u2"]
    frame = first.until("pusher_internal:member_added")
    assert json.loads(frame["data"]) == {"user_id": "u2", "user_info": None}
    # A user's second connection is news to nobody, nor is its end.
    assert member(third, channel, "u2")["count"] == 2
    third.close()
    second.send("client-x", 1, channel=channel)
    assert first.next() == {
        "event": "client-x",
        "data": "1",
        "channel": channel,
        "user_id": "u2",
    }
    second.close()
    frame = first.next()
    assert frame["event"] == "pusher_internal:member_removed"
    assert json.loads(frame["data"]) == {"user_id": "u2"}


def test_a_channel_s_own_members_are_known_by_the_project_s_users(connect, shared):
    channel = shared[2].replace("private-", "presence-")
    client = connect("alice").established()
    frame = client.subscribe(channel)
    assert json.loads(frame["data"])["presence"]["hash"] == {"1": {"name": "alice"}}


def test_a_member_may_tell_only_so_much(connect):
    client = connect().established()
    data = json.dumps({"user_id": "u", "user_info": "x" * 1100})
    channel = "presence-websockets-large"
    client.ask(channel, auth=APP.channel_auth(client.id, channel, data), channel_data=data)
    frame = client.until("pusher:subscription_error")
    assert (frame["data"]["type"], frame["data"]["status"]) == ("LimitReached", 4301)
    assert member(client, channel, "u")["count"] == 1


# Rights


def test_a_right_that_ends_ends_the_subscription_and_no_old_signature_brings_it_back(
    connect, shared
):
    alice, todo_list, channel = shared
    client = connect("bob").established()
    unused = client.signed(channel)
    client.subscribe(channel)
    alice.delete(f"/api/todo-lists/{todo_list}/members/bob/")
    frame = client.until("pusher:subscription_error", 5)
    assert (frame["channel"], frame["data"]["type"]) == (channel, "AuthError")
    assert frame["data"]["status"] == 403
    add(alice, todo_list, "secret")
    client.ask(channel, **unused)
    frame = client.until("pusher:subscription_error")
    assert frame["data"]["status"] == 403
    client.is_quiet()


def test_who_logs_out_loses_channels_and_the_user(connect, app_server):
    username, token = app_server.shell(
        "from django.contrib.auth.models import User\n"
        "from rest_framework.authtoken.models import Token\n"
        "u = User.objects.create_user(f'dave{User.objects.count()}', password='realtime')\n"
        "print(u.username, Token.objects.create(user=u).key)"
    ).split()
    guest, signed = connect().established(), connect().established()
    guest.token = signed.token = token
    pk = json.loads(signed.sign_in()["data"]["user_data"])["id"]
    guest.subscribe(f"private-user.{pk}")
    kept = "private-kept"
    guest.subscribe(kept, auth=APP.channel_auth(guest.id, kept))
    app_server.shell(
        "from rest_framework.authtoken.models import Token\n"
        f"Token.objects.filter(user__username='{username}').delete()"
    )
    frame = guest.until("pusher:subscription_error", 5)
    assert frame["channel"] == f"private-user.{pk}"
    assert signed.closed() == codes.UNAUTHORIZED
    # What another backend has signed for is not this project's to end.
    guest.send("client-x", 1, channel=kept)
    guest.is_quiet()


# What the server says of all this


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


def test_connections_are_counted_against_the_quota(make_server):
    server = make_server(**ENVIRON, REALTIME_MAX_STREAMS_PER_USER="2")
    headers = {"Authorization": f"Token {server.token()}"}

    def is_let_in():
        with Client(server, headers=headers) as client:
            first = client.first()
            assert first in ("pusher:connection_established", codes.QUOTA)
            return first != codes.QUOTA

    with Client(server, headers=headers) as one, Client(server, headers=headers) as two:
        one.established()
        two.established()
        assert not is_let_in()
        with Client(server) as stranger:
            stranger.established()
    wait_until(is_let_in, "the two to be counted no more")
