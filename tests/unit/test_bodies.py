"""Bodies of Pusher's HTTP API: what they say, and what is wrong with them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import events
from realtime.exceptions import InvalidBody, InvalidChannel, InvalidEvent, TooMuchData
from realtime.pusher_http import bodies

EVENT = {"name": "updated", "data": "{}", "channels": ["a"]}


def told(**changes):
    trigger = bodies.trigger(EVENT | changes)
    return [(event.channel, event.type, event.data, event.exclude) for event in trigger.events]


def test_an_event_for_several_channels():
    assert told(channels=["a", "private-b", "a"], data='{"n":1}') == [
        ("a", "updated", '{"n":1}', ""),
        ("private-b", "updated", '{"n":1}', ""),
    ]


def test_an_event_for_one_channel():
    assert told(channels=None, channel="a") == told()


def test_an_event_for_a_user():
    for name in ("#server-to-user-7", "#server-to-user-zo\u00eb@x/y " + "z" * 115):
        assert told(channels=[name])[0][0] == name


def test_a_connection_may_be_excluded():
    assert told(socket_id="123.456")[0][3] == "123.456"
    assert told(socket_id=None)[0][3] == ""


def test_attributes_may_be_asked_for():
    assert bodies.trigger(EVENT | {"info": "user_count,x"}).info == {"user_count", "x"}
    assert bodies.trigger(EVENT | {"info": None}).info == frozenset()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"name": None}, InvalidBody),
        ({"name": 5}, InvalidBody),
        ({"name": ""}, InvalidEvent),
        ({"name": "x" * 201}, InvalidEvent),
        ({"name": "pusher:ping"}, InvalidEvent),
        ({"name": "pusher_internal:member_added"}, InvalidEvent),
        ({"name": "stream-open"}, InvalidEvent),
        ({"name": "member.joined", "channels": ["a", "presence-a"]}, InvalidEvent),
        ({"name": "member.left", "channels": ["presence-cache-a"]}, InvalidEvent),
        ({"data": None}, InvalidBody),
        ({"data": {"n": 1}}, InvalidBody),
        ({"channels": None}, InvalidBody),
        ({"channels": "a"}, InvalidBody),
        ({"channels": []}, InvalidBody),
        ({"channels": [1]}, InvalidChannel),
        ({"channels": [["a"]]}, InvalidChannel),
        ({"channels": [{"a": 1}]}, InvalidChannel),
        ({"channels": ["a b"]}, InvalidChannel),
        ({"channels": ["a", "\u00e9"]}, InvalidChannel),
        ({"channels": ["x" * 165]}, InvalidChannel),
        ({"channels": ["realtime.control"]}, InvalidChannel),
        ({"channels": ["#server-to-user-"]}, InvalidChannel),
        ({"channels": ["#server-to-user-" + "x" * 129]}, InvalidChannel),
        ({"channels": ["#server-to-user-\n"]}, InvalidChannel),
        ({"channels": ["#server-to-user-\ud800"]}, InvalidChannel),
        ({"channels": [str(n) for n in range(101)]}, InvalidBody),
        ({"socket_id": ""}, InvalidEvent),
        ({"socket_id": 1.5}, InvalidEvent),
        ({"socket_id": "1.2.3"}, InvalidEvent),
        ({"socket_id": "1.2\n"}, InvalidEvent),
        ({"socket_id": "\u0661.\u0662"}, InvalidEvent),
        ({"socket_id": "1." + "2" * 31}, InvalidEvent),
        ({"info": ["user_count"]}, InvalidBody),
    ],
)
def test_what_is_wrong_is_refused(changes, error):
    with pytest.raises(error):
        bodies.trigger(EVENT | changes)


def test_data_may_have_10_kb():
    assert told(data="x" * 10240)
    assert told(data="\u00e9" * 5120)
    for data in ("x" * 10241, "\u00e9" * 5121):
        with pytest.raises(TooMuchData):
            told(data=data)


def test_a_batch_has_ten_events_at_most():
    item = {"name": "updated", "data": "{}", "channel": "a"}
    assert [trigger.channels for trigger in bodies.batch({"batch": [item] * 10})] == [["a"]] * 10
    for batch in (None, {}, [], [1], [item] * 11, [item, EVENT]):
        with pytest.raises(InvalidBody):
            bodies.batch({"batch": batch})


@pytest.mark.parametrize("body", [b"", b"[]", b"1", b"{", b"\xff", b'{"a":NaN}', b"[" * 100000])
def test_a_body_is_a_json_object(body):
    with pytest.raises(InvalidBody):
        bodies.read(body)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"a": 1.50,  "a":1e400}', '{"a": 1.50,  "a":1e400}'),
        ('{"a":\n1}\r\n', '{"a": 1}  '),
        ('"\u2028\x85"', '"\\u2028\\u0085"'),
        ("hello", '"hello"'),
        ('say "hi"\n', '"say \\"hi\\"\\n"'),
        ("", '""'),
        ("NaN", '"NaN"'),
        ("9" * 5000, f'"{"9" * 5000}"'),
        ("[" * 5000, f'"{"[" * 5000}"'),
        ("\ud800", '"\\ud800"'),
    ],
)
def test_data_is_one_line_of_json(text, data):
    assert events.data_from_text(text) == data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON, st.sampled_from([None, 2]), st.booleans())
def test_json_comes_to_clients_with_the_same_value(value, indent, ascii):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii)
    got = events.data_to_text(events.data_from_text(text))
    # As pusher-js reads it: what is not JSON is a text.
    try:
        assert json.loads(got) == value
    except ValueError:
        assert got == value


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_sent_between_processes(text):
    event = events.Event("a", "b", events.data_from_text(text))
    assert events.decode(events.encode(events.Batch((event,)))).events == (event,)
    got = events.data_to_text(event.data)
    assert got == text or json.loads(got) == json.loads(text)
