"""Ids and texts in django-eventstream's form."""

import json

import pytest
from django_eventstream.utils import make_id, parse_last_event_id
from hypothesis import example, given
from hypothesis import strategies as st

from realtime.contrib.django_eventstream.dialect import (
    DialectStream,
    encode,
    replayed,
    stream_open,
    stream_reset,
)
from realtime.contrib.django_eventstream.numbers import number, position, wire
from realtime.contrib.django_eventstream.texts import to_data, to_text
from realtime.events import NOWHERE, Event, EventId
from realtime.exceptions import InvalidEventId

ids = st.builds(EventId, st.integers(0, 10**18 - 1), st.from_regex(r"\A[0-9a-f]{8}\Z"))
SEVEN, NINE = EventId(7, "0000000a"), EventId(9, "0000000b")


@given(ids, st.from_regex(r"\A[-a-zA-Z0-9_=@,.;]{1,164}\Z"))
def test_a_position_is_a_number_and_an_id_that_its_own_parser_reads(where, channel):
    assert position(number(where)) == where
    assert wire(channel, where) == make_id({channel: number(where)})
    ((_, text),) = parse_last_event_id(wire(channel, where)).items()
    assert position(int(text)) == where


@pytest.mark.parametrize("value", [-1, 1 << 200])
def test_other_numbers_are_no_positions(value):
    with pytest.raises(InvalidEventId):
        position(value)


@given(st.text(st.characters(exclude_categories=["Cs"])))
@example(' "quoted"')
@example("[1,\r\n2]")
@example("\u2028")
def test_any_text_comes_back_from_data_of_one_line_of_json(text):
    data = to_data(text)
    json.loads(data)
    assert len(data.splitlines()) <= 1
    assert to_text(data) == text


@given(st.from_type(int) | st.text() | st.lists(st.text()) | st.none())
def test_json_stays_as_it_is(value):
    text = json.dumps(value)
    assert to_data(text) == text


def test_data_that_came_in_another_way_is_json():
    assert to_text('{"text":"x"}') == '{"text":"x"}'


def test_events_look_as_they_did():
    event = Event("a,b", "message", to_data("one\ntwo"), id=SEVEN)
    assert encode(event) == b"event: message\nid: a%2Cb:30064771082\ndata: one\ndata: two\n\n"
    assert encode(event) is encode(event)
    passing = Event("a", "message", '{"x": 1}')
    assert encode(passing) == b'event: message\ndata: {"x": 1}\n\n'
    assert stream_reset(NINE, ["a", "b"]).startswith(b"event: stream-reset\nid: a:")
    assert stream_open(NOWHERE, ["a"], {}, 1) == b"retry: 1000\nevent: stream-open\ndata:\n\n"


def test_a_stream_that_began_at_several_positions_says_all_of_them_until_they_are_one():
    floors = {"a": SEVEN, "b": NINE}
    early = Event("a", "message", "1", id=EventId(8, "0000000a"))
    identity = f"id: {wire('a', early.position)},{wire('b', NINE)}\n".encode()
    assert identity in replayed(early, ["a", "b"], floors)
    late = Event("a", "message", "1", id=EventId(10, "0000000a"))
    assert replayed(late, ["a", "b"], floors) == encode(late)
    assert b"," in stream_open(SEVEN, ["a", "b"], floors, 1)


def test_a_right_that_ends_ends_the_stream():
    stream = DialectStream()
    stream.forbid(["a"])
    (frame,) = stream.take()
    assert frame.startswith(b"event: stream-error\nid: error\n")
    assert stream.ended
