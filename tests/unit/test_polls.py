"""What a poll is answered, and how long it would wait."""

import json

import pytest

from realtime.events import Event, EventId
from realtime.polls import encode, page, wait

SEVEN, NINE = EventId(7, "abcdefgh"), EventId(9, "abcdefgh")


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=20", 20),
        ("Wait = 20", 20),
        ('wait="20"', 20),
        ("respond-async, wait=20; x=y", 20),
        ("wait=20, wait=5", 20),
        ("", 0),
        ("wait", 0),
        ("wait=-1", 0),
        ("wait=1.5", 0),
        ("wait=٣", 0),
        ('wait="20', 0),
        ("wait=99999999999999999999", 0),
        ("await=20", 0),
        (";;,=", 0),
    ],
)
def test_what_a_client_would_wait_is_read_as_rfc_7240_has_it(prefer: str, seconds: int) -> None:
    assert wait(prefer) == seconds


def test_a_page_has_its_events_to_the_digit() -> None:
    event = Event("a", "x.created", '{"n":1.10,"m":12345678901234567890}', id=NINE)
    text = page(NINE, [encode(event)])
    assert b'"n":1.10,"m":12345678901234567890' in text
    assert json.loads(text) == {
        "last_event_id": str(NINE),
        "reset": None,
        "events": [{"id": str(NINE), "event": "x.created", "data": json.loads(event.message)}],
    }


def test_a_page_says_that_something_may_be_missing() -> None:
    reset = json.loads(page(SEVEN, [], ["a"], "pruned"))["reset"]
    assert reset == {"channels": ["a"], "reason": "pruned"}
