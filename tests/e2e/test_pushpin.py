"""Streams that a real Pushpin holds: all promises are the same as without it."""

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import jwt
import pytest

from tests.ports import free_port, wait_until
from tests.pushpin import ISSUER, KEY
from tests.services import TcpProxy
from tests.streams import Ended, Stream

SECONDS = 5.0
"""CONTRACT: so soon a right that ends is felt."""


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


@pytest.fixture(scope="module")
def both(make_server, make_pushpin):
    """A server and a Pushpin that many tests share: none may stop them."""
    port = free_port()
    server = make_server(GRIP_URL=grip_url(port), **ENVIRON)
    pushpin = make_pushpin(server.port, port)
    wait_for_streams(server, pushpin)
    yield server, pushpin
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


def test_what_is_refused_without_a_proxy_is_refused_behind_one(lists):
    server, pushpin, _, (one, _) = lists
    url = f"{pushpin.url}/api/events/"
    assert httpx.get(url, params={"channel": channel(one)}).status_code == 401
    bob = {"Authorization": f"Token {server.token('bob')}"}
    assert httpx.get(url, params={"channel": channel(one)}, headers=bob).status_code == 403
    assert httpx.get(url, headers=bob).status_code == 400
    assert feeds(server, one) == []


# Whom to believe


@pytest.mark.parametrize("kind", ["none", "garbage", "alien", "expired", "endless"])
def test_who_has_no_signature_of_a_proxy_is_an_ordinary_client(lists, kind, forged):
    server, _, alice, (one, _) = lists
    headers = {"Authorization": f"Token {server.token()}", "Accept": "text/event-stream"}
    headers |= {"Grip-Feature": "link:next", "Grip-Last": f"{channel(one)}; last-id=1"}
    if kind != "none":
        headers["Grip-Sig"] = forged(kind)
    url = f"{server.url}/api/events/"
    params = {"channel": channel(one)}
    with httpx.stream("GET", url, params=params, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("grip")]
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: stream-open"
        add(alice, one, "held")
        assert next(line for line in lines if "held" in line)
        assert feeds(server, one) == []
        assert held(server) == 1
    assert httpx.get(f"{server.url}/api/events/proxied/", headers=headers).status_code == 404


@pytest.fixture
def forged():
    """Makes signatures that are none."""

    def make(kind):
        later, now = time.time() + 3600, time.time()
        return {
            "garbage": "x.y.z",
            "alien": jwt.encode({"iss": ISSUER, "exp": later}, "another key of as many letters!!"),
            "expired": jwt.encode({"iss": ISSUER, "exp": now - 60}, KEY),
            "endless": jwt.encode({"iss": ISSUER}, KEY),
        }[kind]

    return make


def test_a_client_can_smuggle_nothing_through_a_proxy(lists):
    server, pushpin, _, (one, _) = lists
    with Stream(pushpin.url, [channel(one)], token=server.token()) as stream:
        stream.opened()
        (feed,) = feeds(server, one)
        last = {"Grip-Last": f"realtime-{feed}; last-id=0-nowhere_"}
        answer = httpx.get(f"{pushpin.url}/api/events/proxied/", headers=last, timeout=20)
        assert "todo" not in answer.text
        assert answer.text.startswith("retry:")


# Holes


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


def test_what_a_proxy_loses_it_asks_for(fresh, lossy):
    server, pushpin = fresh(GRIP_URL=grip_url(lossy.port), **OFTEN)
    lossy.target = pushpin.control_port
    with server.client() as alice:
        todo_list = make_list(alice)
        with Stream(pushpin.url, [channel(todo_list)], token=server.token()) as stream:
            stream.opened()
            add(alice, todo_list, "kept")
            assert texts(stream, 1) == ["kept"]
            lossy.lose = True
            add(alice, todo_list, "lost")
            wait_until(lambda: lossy.lost, "something to be lost")
            lossy.lose = False
            add(alice, todo_list, "next")
            assert texts(stream, 2) == ["lost", "next"]
            lossy.lose, lossy.lost = True, 0
            add(alice, todo_list, "last")
            wait_until(lambda: lossy.lost, "something to be lost")
            # Nothing comes after it: the proxy asks by itself.
            assert texts(stream, 1) == ["last"]


@pytest.fixture
def lossy():
    """A control port that says to have published what it has thrown away."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.server.lose:
                self.server.lost += 1
            else:
                url = f"http://127.0.0.1:{self.server.target}{self.path}"
                httpx.post(url, content=body, headers={"Content-Type": "application/json"})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.port, httpd.lose, httpd.lost = httpd.server_address[1], False, 0
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd
    httpd.shutdown()
    httpd.server_close()


# Restarts


@pytest.mark.parametrize("own_lists", [OFTEN], indirect=True, ids=["often"])
def test_a_stream_that_ends_while_django_is_away_is_resumed(own_lists):
    server, pushpin, alice, (one, two) = own_lists
    names, token = [channel(one), channel(two)], server.token()
    with Stream(pushpin.url, names, token=token) as stream:
        stream.opened()
        add(alice, one, "before")
        assert texts(stream, 1) == ["before"]
        server.kill()
        # Nobody listens, so Pushpin soon gives up asking.
        assert {event.event for event in stream.rest()} <= {"keep-alive"}
    item = f"TodoItem.objects.create(todo_list_id={two}, text='meanwhile')"
    server.shell(f"from todos.models import TodoItem; {item}")
    server.start()
    with Stream.reopened(
        pushpin.url, names, token=token, last_event_id=stream.last_event_id
    ) as stream:
        with server.client() as alice:
            add(alice, one, "after")
        assert texts(stream, 2) == ["meanwhile", "after"]


def test_a_stream_outlives_the_workers(fresh):
    server, pushpin = fresh(WEB_CONCURRENCY="2")
    with server.client() as alice:
        todo_list = make_list(alice)
    with Stream(pushpin.url, [channel(todo_list)], token=server.token()) as stream:
        stream.opened()
        first, second = server.workers
        # One of them publishes; in the end, there is none for a while.
        for pids in ([first], [second], None):
            with server.client() as alice:
                add(alice, todo_list, "before")
                assert texts(stream, 1) == ["before"]
            for pid in pids or server.workers:
                os.kill(pid, signal.SIGKILL)
            item = f"TodoItem.objects.create(todo_list_id={todo_list}, text='meanwhile')"
            server.shell(f"from todos.models import TodoItem; {item}")
            assert texts(stream, 1) == ["meanwhile"]


def test_pushpin_may_be_restarted(own_lists):
    server, pushpin, alice, (one, _) = own_lists
    with Stream(pushpin.url, [channel(one)], token=server.token()) as stream:
        stream.opened()
        add(alice, one, "before")
        assert texts(stream, 1) == ["before"]
        pushpin.kill()
        assert all(event.event == "keep-alive" for event in stream.rest())
    add(alice, one, "meanwhile")
    pushpin.start()
    wait_for_streams(server, pushpin)
    with Stream.reopened(
        pushpin.url, [channel(one)], token=server.token(), last_event_id=stream.last_event_id
    ) as stream:
        add(alice, one, "after")
        assert texts(stream, 2) == ["meanwhile", "after"]


def test_a_proxy_that_stands_still_delays_no_write_and_catches_up(own_lists):
    server, pushpin, alice, (one, _) = own_lists
    with Stream(pushpin.url, [channel(one)], token=server.token()) as stream:
        stream.opened()
        pushpin.freeze()
        for number in range(150):
            add(alice, one, str(number))
        pushpin.thaw()
        assert texts(stream, 150) == [str(number) for number in range(150)]


def test_a_proxy_that_could_not_be_reached_asks_for_what_it_missed(fresh):
    way = TcpProxy(free_port())
    server, pushpin = fresh(GRIP_URL=grip_url(way.port), control_port=way.target)
    with server.client() as alice:
        todo_list = make_list(alice)
        with Stream(pushpin.url, [channel(todo_list)], token=server.token()) as stream:
            stream.opened()
            add(alice, todo_list, "before")
            assert texts(stream, 1) == ["before"]
            way.refuse()
            add(alice, todo_list, "meanwhile")
            tries = way.accepted
            wait_until(lambda: way.accepted > tries + 4, "the proxy to be given up")
            way.accept()
            assert texts(stream, 1) == ["meanwhile"]
            add(alice, todo_list, "after")
            assert texts(stream, 1) == ["after"]
    way.close()


# Rights


def test_a_right_that_ends_ends_the_stream_on_that_channel(lists):
    server, pushpin, alice, (one, _) = lists
    alice.post(f"/api/todo-lists/{one}/members/", json={"username": "bob"})
    with server.client("bob") as bob:
        own = make_list(bob)
        names = [channel(one), channel(own)]
        with Stream(pushpin.url, names, token=server.token("bob")) as stream:
            stream.opened()
            alice.delete(f"/api/todo-lists/{one}/members/bob/")
            assert error(stream)["channels"] == [channel(one)]
            add(alice, one, "not for bob")
            add(bob, own, "for bob")
            assert texts(stream, 1) == ["for bob"]
            # Shared again, it is heard again by a new stream.
            alice.post(f"/api/todo-lists/{one}/members/", json={"username": "bob"})
            with Stream(pushpin.url, names, token=server.token("bob")) as again:
                again.opened()
                add(alice, one, "for bob again")
                assert texts(again, 1) == ["for bob again"]


def test_the_end_of_a_login_ends_the_stream(both):
    server, pushpin = both
    name, token = server.shell(
        "from django.contrib.auth.models import User\n"
        "from rest_framework.authtoken.models import Token\n"
        "user = User.objects.create_user('carol')\n"
        "print(f'private-user.{user.pk}', Token.objects.create(user=user).key)"
    ).split()
    with Stream(pushpin.url, [name], token=token) as stream:
        stream.opened()
        server.shell(
            "from rest_framework.authtoken.models import Token\n"
            f"Token.objects.filter(key='{token}').delete()"
        )
        assert error(stream)["channels"] == [name]
        assert stream.rest() == []


def error(stream):
    """The data of the stream's next error, which must come in time."""
    asked = time.monotonic()
    found = stream.until(lambda event: event.event == "stream-error")[-1]
    assert time.monotonic() < asked + SECONDS
    data = json.loads(found.data)
    assert data["condition"] == "forbidden"
    return data
