"""gunicorn's settings, and our connections."""

import runpy
from unittest.mock import Mock

from realtime.gunicorn import Connection
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
