import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import events
from realtime.events import Batch, Event, EventId
from realtime.exceptions import InvalidEvent, InvalidEventId

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


@given(st.integers(0, 10**18 - 1), st.text("0123456789abcdef", min_size=8, max_size=8))
def test_an_id_reads_back_and_fits_into_forty_bytes(seq, nonce):
    text = str(EventId(seq, nonce))
    assert EventId.parse(text) == EventId(seq, nonce)
    assert len(text.encode()) <= 40


@pytest.mark.parametrize(
    "text",
    ["7", "7-", "-7-abcdefgh", "07-abcdefgh", "7-abcdefg", "7-abcdefghi", "7-abcdefgh\n",
     "", " 7-abcdefgh", "\u0667-abcdefgh", "7-abc\u00e9efgh",
     "1" * 19 + "-abcdefgh", "7\u2013abcdefgh"],
)  # fmt: skip
def test_what_was_never_given_out_is_no_id(text):
    with pytest.raises(InvalidEventId):
        EventId.parse(text)


@given(st.text())
def test_any_text_is_an_id_or_refused_as_none(text):
    with suppress(InvalidEventId):
        assert str(EventId.parse(text)) == text


@given(json_values)
def test_json_reads_back_and_is_one_line_of_utf8(value):
    text = events.dumps(value)
    assert json.loads(text) == value
    assert len(text.encode().splitlines()) <= 1
    assert len(text.splitlines()) <= 1


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"bytes"])
def test_what_has_no_json_form_is_refused(value):
    with pytest.raises(InvalidEvent):
        events.dumps(value)


def test_a_circle_has_no_json_form():
    circle = []
    circle.append(circle)
    with pytest.raises(InvalidEvent):
        events.dumps(circle)


@pytest.mark.parametrize(
    "name",
    ["", "a\nb", "a\rb", "a\x00b", "a\u2028b", "\ud800", "x" * 201, "stream-open", "stream-reset",
     "stream-error", "keep-alive", "pusher:error", "pusher_internal:member_added", None, 7],
)  # fmt: skip
def test_a_type_that_could_break_the_protocol_is_refused(name):
    with pytest.raises(InvalidEvent):
        events.check_type(name)


@pytest.mark.parametrize("name", ["member.joined", "member.left", "member.list"])
def test_on_presence_channels_only_presence_tells_of_members(name):
    with pytest.raises(InvalidEvent):
        events.check_type(name, "presence-a")
    assert events.check_type(name, "private-a") == name
    assert events.check_type(f"{name}.late", "presence-a")
    batch = Batch((Event("presence-a", name, "{}"),))
    assert events.decode(events.encode(batch)) == batch


def test_the_message_has_what_the_event_has_and_nothing_else():
    bare = Event("news", "headline", '{"a":1}')
    assert json.loads(bare.message) == {"channel": "news", "data": {"a": 1}}
    full = Event("news", "x.updated", "[]", ("a", "b"), 'm"1')
    assert json.loads(full.message) == {
        "channel": "news",
        "data": [],
        "changed": ["a", "b"],
        "mutation": 'm"1',
    }


@pytest.mark.parametrize("after", [None, EventId(2, "hgfedcba")])
def test_events_travel_between_processes(after):
    ids = [after and EventId(n, "abcdefgh") for n in (3, 4)]
    sent = (
        Event("a", "x.updated", "1", ("f",), "m", ids[0], "1.2"),
        Event("b", "typing", '"ü"', id=ids[1]),
    )
    assert events.decode(events.encode(Batch(sent, after))) == Batch(sent, after)


@pytest.mark.parametrize(
    "text",
    [
        "", "{}x", "7", '{"a":1}', "[1]", "[[1]]", "[null,[[]]]", "[1,[]]", '["x",[]]', "[" * 9999,
        '[null,[["a","\n","",null,null,null]]]', '[null,[["a","b",1,null,null,null,""]]]',
        '[null,[[1,"b","",null,null,null,""]]]', '[null,[["a","b","",7,null,null,""]]]',
        '[null,[["a","b","",null,null,"1",""]]]', b"\xff\xfe",
        # Data that would end its line, or can't be sent at all
        '[null,[["a","b","x",null,null,null,""]]]',
        '[null,[["a","b","1\\n\\n",null,null,null,""]]]',
        '[null,[["a","b","\\"\\ud800\\"",null,null,null,""]]]',
        # Numbers that are missing, or not the next ones
        '["1-abcdefgh",[["a","b","1",null,null,null,""]]]',
        '["1-abcdefgh",[["a","b","1",null,null,"3-abcdefgh",""]]]',
        '[null,[["a","b","1",null,null,"3-abcdefgh",""]]]',
    ],
)  # fmt: skip
def test_garbage_between_processes_is_refused(text):
    with pytest.raises(InvalidEvent):
        events.decode(text)


def test_an_ephemeral_event_has_no_position():
    with pytest.raises(InvalidEvent):
        _ = Event("a", "b", "1").position
