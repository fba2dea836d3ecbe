"""The encoder, read back by a parser that this project did not write."""

import json

import httpx
from httpx_sse import EventSource
from hypothesis import example, given
from hypothesis import strategies as st

from realtime import events, sse
from realtime.events import Event, EventId
from realtime.exceptions import InvalidEvent

ids = st.builds(
    EventId, st.integers(0, 10**18 - 1), st.text("0123456789abcdef", min_size=8, max_size=8)
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda children: st.lists(children) | st.dictionaries(st.text(st.characters()), children),
    max_leaves=6,
)
evil = st.text(st.sampled_from("\r\n\x00:\u2028\u2029\x85\x0b\x0c\x1c iddataeventretry"))


def read(stream):
    """The events that a client makes of bytes."""
    headers = {"Content-Type": "text/event-stream"}
    return list(EventSource(httpx.Response(200, headers=headers, content=stream)).iter_sse())


@given(ids, st.text(st.characters()) | evil, json_values | evil, json_values)
@example(EventId(1, "abcdefgh"), "x", "\r\ndata: injected\n\n", "\u2028")
@example(EventId(1, "abcdefgh"), "x\nevent: injected", "", None)
def test_whatever_goes_in_one_event_comes_out(position, kind, data, more):
    try:
        kind = events.check_type(kind)
    except InvalidEvent:
        return
    text = events.dumps({"text": data, "more": more})
    event = Event("news", kind, text, ("a",), "m", position)
    (read_back,) = read(sse.encode(event))
    assert (read_back.id, read_back.event) == (str(position), kind)
    assert json.loads(read_back.data)["data"] == json.loads(text)
    assert sse.encode(event).count(b"\n") == 4


@given(evil | st.text(st.characters()))
def test_no_type_that_passes_can_end_its_line(kind):
    try:
        kind = events.check_type(kind)
    except InvalidEvent:
        return
    assert len(kind.splitlines()) == 1
    assert "\x00" not in kind


def test_an_ephemeral_event_leaves_the_clients_position_alone():
    stream = sse.stream_open(EventId(7, "abcdefgh"), 2) + sse.encode(Event("a", "typing", "1"))
    opened, typing = read(stream)
    assert (opened.event, opened.id, opened.retry) == ("stream-open", "7-abcdefgh", 2000)
    assert b"id:" not in sse.encode(Event("a", "typing", "1"))
    assert typing.event == "typing"


def test_the_protocols_own_events():
    position = EventId(7, "abcdefgh")
    stream = (
        sse.stream_reset(position, ["a"], "pruned")
        + sse.stream_error("forbidden", "No.", ["a"])
        + sse.keep_alive(position)
        + sse.keep_alive()
    )
    reset, error, alive, bare = read(stream)
    assert (reset.event, reset.id) == ("stream-reset", "7-abcdefgh")
    assert json.loads(reset.data) == {"channels": ["a"], "reason": "pruned"}
    assert error.event == "stream-error"
    assert json.loads(error.data) == {"condition": "forbidden", "text": "No.", "channels": ["a"]}
    assert (alive.event, alive.data, alive.id) == ("keep-alive", "", "7-abcdefgh")
    assert (bare.event, bare.data) == ("keep-alive", "")


def test_an_event_is_encoded_once():
    event = Event("a", "x", "1", id=EventId(1, "abcdefgh"))
    assert sse.encode(event) is sse.encode(event)
