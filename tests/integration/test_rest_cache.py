"""Redis is only a help: without it, requests are answered all the same."""

import socket
import threading
from contextlib import closing
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest
from django.core.cache import caches
from rest_framework.throttling import AnonRateThrottle

from api import cache as module
from api.cache import RedisCache
from tests.ports import wait_until


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(module, "_away", set())


@pytest.fixture
def listener():
    """A server that takes connections and never says a word, as a stopped Redis does."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        yield server


def redis_at(port):
    options = {"socket_timeout": 0.05, "socket_connect_timeout": 0.05}
    return {
        "BACKEND": "api.cache.RedisCache",
        "LOCATION": f"redis://127.0.0.1:{port}/0",
        "OPTIONS": options,
    }


def connections(listener):
    """How many have connected since one last looked."""
    count = 0
    while True:
        try:
            listener.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


@pytest.fixture
def gone(listener):
    """The port of a Redis that has been shut down."""
    port = listener.getsockname()[1]
    listener.close()
    return port


def test_without_redis_the_process_keeps_what_is_asked_of_it(gone):
    cache = RedisCache(f"redis://127.0.0.1:{gone}/0", redis_at(gone))
    assert cache.get("a") is None
    assert cache.get("a", "default") == "default"
    assert cache.get_many(["a", "b"]) == {}
    assert cache.add("a", 1) is True
    assert cache.add("a", 2) is False
    assert cache.incr("a") == 2
    cache.set("b", 1)
    assert cache.set_many({"c": 3}) == []
    assert cache.get_many(["b", "c"]) == {"b": 1, "c": 3}
    assert cache.touch("b") is True
    assert cache.has_key("b") is True
    assert cache.delete("b") is True
    assert cache.delete_many(["c"]) is None
    assert cache.get_or_set("d", 5) == 5
    cache.clear()
    with pytest.raises(ValueError, match="not found"):
        cache.incr("a")


def test_limits_hold_without_redis(client, settings, gone, monkeypatch):
    settings.CACHES = {"default": redis_at(gone)}
    monkeypatch.setattr(AnonRateThrottle, "get_rate", lambda self: "3/min")
    codes = [client.post("/api/token/", {"username": "x"}).status_code for _ in range(5)]
    assert codes == [400, 400, 400, 429, 429]


def test_requests_are_answered_without_redis(alice, client_of, client, settings, gone):
    settings.CACHES = {"default": redis_at(gone)}
    assert client_of(alice).post("/api/todo-lists/", {"name": "x"}).status_code == 201
    login = {"username": "alice", "password": "realtime"}
    assert client.post("/api/token/", login).status_code == 200


def test_a_redis_that_hangs_is_waited_for_once_and_then_left_alone(settings, listener, monkeypatch):
    monkeypatch.setattr(module, "PAUSE", 3600)
    settings.CACHES = {"default": redis_at(listener.getsockname()[1])}
    for _ in range(5):
        assert caches["default"].get("a") is None
    assert connections(listener) == 1


def test_a_redis_that_takes_no_writes_is_not_asked_until_it_does(
    settings, fresh_redis, monkeypatch
):
    monkeypatch.setattr(module, "PAUSE", 0.02)
    monkeypatch.setattr(AnonRateThrottle, "get_rate", lambda self: "3/min")
    settings.CACHES = {"default": redis_at(fresh_redis.port)}
    with closing(fresh_redis.connect()) as redis:
        redis.config_set("maxmemory", 1)
        assert caches["default"].add("a", 1)
        refused = lambda: redis.info("errorstats")["errorstat_OOM"]["count"]  # noqa: E731
        wait_until(lambda: refused() > 3, "some attempts")
        assert module._away
        redis.config_set("maxmemory", 0)
        wait_until(lambda: not module._away, "Redis to be asked again")


class Agreeable(StreamRequestHandler):
    """Some other service, which says OK to everything."""

    def handle(self):
        while self.rfile.readline():
            self.wfile.write(b"+OK\r\n")


def test_what_is_no_redis_is_left_alone(settings):
    with ThreadingTCPServer(("127.0.0.1", 0), Agreeable) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.CACHES = {"default": redis_at(server.server_address[1])}
        assert caches["default"].add("a", 1)
        assert caches["default"].get("a") == 1
        server.shutdown()


def test_a_redis_that_is_back_is_asked_again_without_a_request_that_tries(
    settings, fresh_redis, monkeypatch
):
    monkeypatch.setattr(module, "PAUSE", 0.02)
    settings.CACHES = {"default": redis_at(fresh_redis.port)}
    caches["default"].set("a", 1)
    fresh_redis.freeze()
    assert caches["default"].get("a") is None
    fresh_redis.thaw()
    wait_until(lambda: not module._away, "Redis to be asked again")
    assert caches["default"].get("a") == 1
