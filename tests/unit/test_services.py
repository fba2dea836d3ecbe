"""What the tests themselves stand on."""

import socket
from contextlib import closing

import pytest

from tests.services import TcpProxy


def test_redis_may_be_killed_and_comes_back_at_its_port(fresh_redis):
    with closing(fresh_redis.connect()) as client:
        assert client.set("a", 1)
    fresh_redis.kill()
    assert not fresh_redis.answers()
    fresh_redis.start()
    with closing(fresh_redis.connect()) as client:
        assert client.get("a") is None


def test_postgresql_keeps_its_data_through_a_crash(fresh_postgres):
    with closing(fresh_postgres.connect()) as connection:
        connection.execute("CREATE TABLE a (n integer)")
        connection.execute("INSERT INTO a VALUES (1)")
    fresh_postgres.crash()
    assert not fresh_postgres.answers()
    fresh_postgres.start()
    with closing(fresh_postgres.connect()) as connection:
        assert connection.execute("SELECT n FROM a").fetchall() == [(1,)]


def test_the_proxy_holds_back_cuts_and_refuses(redis_server):
    proxy = TcpProxy(redis_server.port)

    def ask(connection):
        connection.sendall(b"PING\r\n")
        return connection.recv(100)

    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        assert ask(connection) == b"+PONG\r\n"
        proxy.hold()
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            ask(connection)
        proxy.release()
        connection.settimeout(5)
        assert connection.recv(100) == b"+PONG\r\n"
        proxy.cut()
        assert connection.recv(100) == b""
    proxy.refuse()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        assert connection.recv(100) == b""
    proxy.close()
