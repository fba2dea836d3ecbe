import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.events import MEMBER_JOINED, MEMBER_LEFT, Event, EventId, data_from_text, loads
from realtime.exceptions import InvalidEvent
from realtime.pusher import frames

POSITION = EventId(7, "n" * 8)


def decoded(frame):
    """A frame as pusher-js reads it: what is JSON within the data is decoded too."""
    message = json.loads(frame)
    if isinstance(message.get("data"), str):
        with suppress(InvalidEvent):
            message["data"] = loads(message["data"])
    return message


def test_an_event_is_an_object_whose_data_is_json_in_a_string():
    event = Event("a", "x", '{"n":1}', id=POSITION)
    assert json.loads(frames.encode(event)) == {
        "event": "x",
        "data": '{"n":1}',
        "channel": "a",
        "id": "7-nnnnnnnn",
    }


def test_an_event_carries_all_that_a_stream_does():
    event = Event("a", "x", "{}", changed=("done",), mutation="m1", id=POSITION)
    message = json.loads(frames.encode(event))
    assert (message["changed"], message["mutation"]) == (["done"], "m1")


def test_an_ephemeral_event_has_no_id_and_may_have_a_sender():
    message = json.loads(frames.encode(Event("presence-a", "client-x", "1", user_id="u1")))
    assert "id" not in message
    assert message["user_id"] == "u1"


def test_an_event_is_encoded_once_for_all():
    event = Event("a", "x", "1")
    assert frames.encode(event) is frames.encode(event)


@pytest.mark.parametrize(
    ("data", "shown"),
    [('"hello"', "hello"), ('"7"', '"7"'), ('"NaN"', "NaN"), ('""', ""), ("7", "7")],
)
def test_a_string_is_bare_unless_it_would_pass_for_json(data, shown):
    assert json.loads(frames.encode(Event("a", "x", data)))["data"] == shown


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_a_text_arrives_as_the_text_it_was(text):
    # What Pusher's libraries send as data is a text; pusher-js decodes it if it can.
    expected = decoded(json.dumps({"data": text}))["data"]
    got = decoded(frames.encode(Event("a", "x", data_from_text(text))))["data"]
    assert got == expected


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_frame_has_a_line_break_or_what_utf_8_cannot_carry(value):
    frame = frames.encode(Event("a", "x", json.dumps(value)))
    frame.encode()
    assert not set(frame) & set("\r\n\x85\u2028\u2029")


@pytest.mark.parametrize(
    ("kind", "data", "name", "shown"),
    [
        (
            MEMBER_JOINED,
            '{"id":"u1","info":{"n":1},"version":3}',
            "pusher_internal:member_added",
            {"user_id": "u1", "user_info": {"n": 1}},
        ),
        (
            MEMBER_LEFT,
            '{"id":"u1","version":4}',
            "pusher_internal:member_removed",
            {"user_id": "u1"},
        ),
    ],
)
def test_members_come_and_go_by_pushers_own_events(kind, data, name, shown):
    message = decoded(frames.encode(Event("presence-a", kind, data, id=POSITION)))
    assert (message["event"], message["data"]) == (name, shown)


def test_on_other_channels_the_same_names_are_an_applications_own():
    message = decoded(frames.encode(Event("a", MEMBER_JOINED, '"hello"')))
    assert (message["event"], message["data"]) == (MEMBER_JOINED, "hello")


def test_the_handshake_has_a_timeout_that_clients_take():
    # pusher-js refuses to connect without one, or by one of 0.
    message = decoded(frames.connection_established("1.2", 0.2))
    assert message["data"] == {"socket_id": "1.2", "activity_timeout": 1}


def test_what_has_a_position_says_so_and_what_has_none_does_not():
    assert json.loads(frames.pong(POSITION))["id"] == "7-nnnnnnnn"
    assert "id" not in json.loads(frames.pong(None))
    assert json.loads(frames.subscription_succeeded("a", POSITION))["id"] == "7-nnnnnnnn"


def test_errors_are_objects():
    # In Pusher's documentation, these two are not encoded twice.
    assert json.loads(frames.error(4301, "no"))["data"] == {"code": 4301, "message": "no"}
    error = json.loads(frames.subscription_error("a", "AuthError", 401, "no"))
    assert error["data"] == {"type": "AuthError", "status": 401, "error": "no"}


def test_who_has_come_and_gone_is_one_frame():
    message = decoded(frames.watchlist_events(["u1"], ["u2", "u3"]))
    assert message["data"]["events"] == [
        {"name": "online", "user_ids": ["u1"]},
        {"name": "offline", "user_ids": ["u2", "u3"]},
    ]
    assert len(decoded(frames.watchlist_events(["u1"], []))["data"]["events"]) == 1
