"""What repeats itself in the log."""

import json
import logging

import pytest

from api import logs
from realtime import tracing


@pytest.fixture
def clock(monkeypatch):
    """Seconds that a test lets pass."""
    now = [0.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    return now


def record(text, level=logging.WARNING, error=None):
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord("a", level, "a.py", 1, text, (), exc_info)


def test_a_warning_that_repeats_itself_passes_once_a_minute(clock):
    unrepeated = logs.Unrepeated()
    passed = []
    for clock[0] in range(0, 150, 10):
        if unrepeated.filter(record("Redis is away")):
            passed.append(clock[0])
    assert passed == [0, 60, 120]


def test_what_differs_passes(clock):
    unrepeated = logs.Unrepeated()
    differing = [record("a"), record("b"), record("a", error=OSError("x"))]
    differing.append(record("a", error=OSError("y")))
    assert all(unrepeated.filter(one) for one in differing)


def test_what_is_no_warning_always_passes(clock):
    unrepeated = logs.Unrepeated()
    assert all(unrepeated.filter(record("Listening", logging.INFO)) for _ in range(3))


def test_it_remembers_no_more_than_it_needs(clock):
    unrepeated = logs.Unrepeated()
    for n in range(3000):
        assert unrepeated.filter(record(f"{n}"))
    assert len(unrepeated._passed) <= 1000


EVIL = "x\n2026-01-01 00:00:00,000 INFO root: all is well\r\x1b[2J\u2028\x85\udc80"


def said(formatter, text="%s", *args, error=None, **extra):
    one = record(text, error=error)
    one.args = args
    vars(one).update(extra)
    with tracing.request("the-id"):
        assert logs.Identified().filter(one)
    return formatter.format(one)


def raised():
    try:
        raise ValueError(EVIL)
    except ValueError as error:
        return error


def test_nobody_can_write_a_line_into_the_text_log():
    formatter = logs.TextFormatter("%(levelname)s %(message)s")
    text = said(formatter, "%s", EVIL, path=EVIL, error=raised())
    lines = text.split("\n")
    assert lines[0].startswith("WARNING x\\n2026-01-01")
    assert "request_id=the-id" in lines[0]
    assert len(lines) > 1
    assert all(line.startswith("    ") for line in lines[1:])
    assert text.isprintable() or all(c == "\n" or c.isprintable() for c in text)


def test_each_record_is_one_json_object_in_a_line():
    line = said(logs.JSONFormatter(), "%s", EVIL, path=EVIL, status=404, error=raised())
    assert line.isascii()
    assert "\n" not in line
    told = json.loads(line)
    assert told["message"] == told["path"] == EVIL
    assert (told["request_id"], told["status"], told["level"]) == ("the-id", 404, "WARNING")
    assert "ValueError" in told["exception"]


def test_what_belongs_to_no_request_names_none():
    one = record("x")
    logs.Identified().filter(one)
    assert "request_id" not in json.loads(logs.JSONFormatter().format(one))


def test_who_speaks_for_a_stream_names_its_request_itself():
    assert json.loads(said(logs.JSONFormatter(), "x", request_id="own"))["request_id"] == "own"


def test_what_is_no_text_is_left_out_and_fails_nobody():
    told = json.loads(said(logs.JSONFormatter(), "x", request=object()))
    assert "request" not in told
