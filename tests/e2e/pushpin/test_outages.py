"""Django, Pushpin, or the way between them fails: what is missed meanwhile comes."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.e2e.pushpin.conftest import (
    OFTEN,
    add,
    channel,
    grip_url,
    make_list,
    texts,
    wait_for_streams,
)
from tests.ports import free_port, wait_until
from tests.services import TcpProxy
from tests.streams import Stream


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
