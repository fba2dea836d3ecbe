"""gunicorn's settings, and our connections."""

import gc
import runpy
from unittest.mock import Mock

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


def test_what_is_loaded_is_not_looked_through_for_garbage_again(monkeypatch):
    monkeypatch.setattr(ASGIWorker, "load_wsgi", lambda self: None)
    try:
        Worker.__new__(Worker).load_wsgi()
        assert gc.get_freeze_count() > 1000
    finally:
        gc.unfreeze()
