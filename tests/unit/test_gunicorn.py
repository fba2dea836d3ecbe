"""gunicorn's settings, and our connections."""

import gc
import runpy
from unittest.mock import Mock, call

from gunicorn.asgi.protocol import ASGIProtocol
from gunicorn.workers.gasgi import ASGIWorker

from realtime.gunicorn import Connection, Worker
from tests.servers import ROOT


def test_no_query_gets_into_an_access_log_that_somebody_turns_on():
    """There may be tickets in one, and what somebody takes for a login."""
    line = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["access_log_format"]
    for with_query in ("%(r)s", "%(q)s", "%(f)s"):
        assert with_query not in line
    assert "%(U)s" in line


def test_nothing_is_read_from_a_client_that_takes_nothing():
    """Each of its pings would add a pong to what waits for it."""
    connection = Connection.__new__(Connection)
    connection.transport, connection._wire = Mock(), Mock()
    connection._flow_control = Mock()
    connection.pause_writing()
    connection.transport.pause_reading.assert_called_once_with()
    connection.transport.resume_reading.assert_not_called()
    connection.resume_writing()
    connection.transport.resume_reading.assert_called_once_with()


def shared(**fields):
    """A connection of a WebSocket that is lent; its wire; what they do, in turn."""
    done = Mock()
    connection = Connection.__new__(Connection)
    connection.transport, connection._closed = done.transport, False
    connection.transport.is_closing.return_value = False
    connection.transport.get_extra_info = {"socket": Mock(fileno=lambda: 7), **fields}.get
    connection._websocket = Mock(transport=connection.transport)
    return connection, done


def test_before_gunicorn_writes_to_a_shared_connection_the_wire_steps_aside():
    connection, done = shared()
    assert connection._share(done.wire).descriptor == 7
    connection._websocket.transport.write(b"pong")
    assert done.mock_calls[-2:] == [call.wire.step_aside(), call.transport.write(b"pong")]
    connection._websocket.transport.close()
    done.transport.close.assert_called_once_with()


def test_the_wire_steps_aside_before_a_shared_connection_is_closed(monkeypatch):
    connection, done = shared()
    connection._share(done.wire)
    monkeypatch.setattr(ASGIProtocol, "connection_lost", lambda self, exc: done.lost())
    connection.connection_lost(None)
    assert done.mock_calls[-2:] == [call.wire.step_aside(), call.lost()]


def test_what_is_encrypted_or_written_by_nobody_knows_whom_has_no_descriptor():
    connection, done = shared(ssl_object=Mock())
    assert connection._share(done.wire).descriptor is None
    connection, done = shared()
    connection._websocket = None
    assert connection._share(done.wire).descriptor is None


def test_what_is_loaded_is_not_looked_through_for_garbage_again(monkeypatch):
    monkeypatch.setattr(ASGIWorker, "load_wsgi", lambda self: None)
    try:
        Worker.__new__(Worker).load_wsgi()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
