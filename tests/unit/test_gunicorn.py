"""gunicorn's settings."""

import runpy

from tests.servers import ROOT


def test_no_query_gets_into_an_access_log_that_somebody_turns_on():
    """There may be tickets in one, and what somebody takes for a login."""
    line = runpy.run_path(str(ROOT / "gunicorn.conf.py"))["access_log_format"]
    for with_query in ("%(r)s", "%(q)s", "%(f)s"):
        assert with_query not in line
    assert "%(U)s" in line
