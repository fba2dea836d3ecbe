"""Texts for people: one line, in words."""

import asyncio
import os
import socket
import urllib.request

import pytest
import redis.asyncio
from psycopg import OperationalError

from realtime.plain import counted, one_line, reason

REFUSED = "Connection refused"


def failure(action):
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("It has not failed")


async def ask_redis(port, host):
    async with redis.asyncio.Redis(host=host, port=port, socket_timeout=5) as client:
        await client.ping()


@pytest.fixture
def port():
    """One where nobody listens: it is bound."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_refused_connection_is_told_without_objects(port):
    url = f"http://127.0.0.1:{port}/"
    assert reason(failure(lambda: urllib.request.urlopen(url))) == REFUSED
    assert reason(failure(lambda: socket.create_connection(("127.0.0.1", port)))) == REFUSED


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_redis_that_refuses_is_told_without_tuples(port, host):
    assert reason(failure(lambda: asyncio.run(ask_redis(port, host)))) == REFUSED


def test_a_server_that_says_nothing_has_timed_out():
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert reason(failure(lambda: urllib.request.urlopen(url, timeout=0.1))) == "timed out"


def test_several_lines_of_a_database_are_one():
    error = OperationalError(
        'connection to "x" failed: Connection refused\n\tIs the server running on that host?'
    )
    assert reason(error) == 'connection to "x" failed: Connection refused'
    assert reason(OperationalError("a\n\tb\x1b[31m")) == r"a b\x1b[31m"


def test_what_has_no_words_has_its_name():
    assert reason(TimeoutError()) == "TimeoutError"
    assert reason(OSError(13, "x")) == os.strerror(13)


def test_one_thing_is_no_things():
    assert [counted(number, "event") for number in (0, 1, 2)] == ["0 events", "1 event", "2 events"]
    assert one_line("a\n") == r"a\n"
