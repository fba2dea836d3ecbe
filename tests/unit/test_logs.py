"""What repeats itself in the log."""

import logging

import pytest

from api import logs


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
