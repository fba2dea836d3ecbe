"""What a stream is told of a presence channel's members: the list once, and then what changes."""

import json

from hypothesis import given
from hypothesis import strategies as st

from realtime.bookkeeping.attendance import Attendee, Attending
from realtime.events import MEMBER_JOINED, MEMBER_LEFT, MEMBER_LIST, Event, EventId
from realtime.presence.members import Arrival, Snapshot, turn
from realtime.subscriber import Subscription

CHANNEL = "presence-a"


class OneStream(Attending):
    """A stream, and what it was written."""

    def __init__(self):
        super().__init__(limit=10**6, attendee=Attendee("me", None))
        self.channels[CHANNEL] = Subscription(EventId(0, "abcdefgh"))

    def forbid(self, channels): ...
    def reset(self, position, reason): ...
    def keep_alive(self, position): ...
    def retire(self): ...

    def told(self):
        found = []
        for frame in self.take():
            kind = frame.partition(b"event: ")[2].partition(b"\n")[0].decode()
            message = json.loads(frame.partition(b"data: ")[2])
            assert message["channel"] == CHANNEL
            assert frame.startswith(b"id: ") == (kind != MEMBER_LIST)
            found.append((kind, message["data"]))
        return found


def numbered(seq, event):
    return Event(event.channel, event.type, event.data, id=EventId(seq, "abcdefgh"))


def change(version, kind, user_id):
    info = ',"info":null' if kind == MEMBER_JOINED else ""
    return Event(CHANNEL, kind, f'{{"id":"{user_id}"{info},"version":{version}}}')


def test_what_the_list_contains_is_not_told_again():
    stream = OneStream()
    stream.expect(CHANNEL)
    stream.show(CHANNEL, Snapshot(7, {"a": '{"n":1}', "b": "null"}))
    stream.deliver(numbered(1, change(7, MEMBER_JOINED, "b")))
    stream.deliver(numbered(2, change(8, MEMBER_LEFT, "a")))
    members = [{"id": "a", "info": {"n": 1}}, {"id": "b", "info": None}]
    assert stream.told() == [
        (MEMBER_LIST, {"members": members, "version": 7}),
        (MEMBER_LEFT, {"id": "a", "version": 8}),
    ]


def test_what_was_told_before_the_list_but_happened_after_it_is_worked_into_it():
    stream = OneStream()
    stream.expect(CHANNEL)
    stream.deliver(numbered(1, change(7, MEMBER_JOINED, "b")))
    stream.deliver(numbered(2, change(8, MEMBER_LEFT, "a")))
    stream.deliver(numbered(3, change(9, MEMBER_JOINED, "c")))
    stream.show(CHANNEL, Snapshot(7, {"a": "null", "b": "null"}))
    told = stream.told()
    assert [kind for kind, _ in told] == [MEMBER_JOINED, MEMBER_LEFT, MEMBER_JOINED, MEMBER_LIST]
    members = [{"id": "b", "info": None}, {"id": "c", "info": None}]
    assert told[-1][1] == {"members": members, "version": 9}


def test_other_events_and_other_streams_are_not_touched():
    stream = OneStream()
    stream.expect(CHANNEL)
    stream.show(CHANNEL, Snapshot(7, {}))
    stream.deliver(numbered(1, Event(CHANNEL, "note", '{"version":1}')))
    assert [kind for kind, _ in stream.told()] == [MEMBER_LIST, "note"]
    stream.forget(CHANNEL)
    stream.deliver(numbered(2, change(1, MEMBER_JOINED, "b")))
    assert [kind for kind, _ in stream.told()] == [MEMBER_JOINED]


def test_a_stream_is_no_connection_of_pushers_clients():
    assert OneStream().socket_id == ""
    assert OneStream().name != OneStream().name


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.data())
def test_whenever_the_list_comes_the_stream_knows_the_members(users, data):
    """Each of `users` comes, or goes if present; the stream is live at some time, the list is made
    at a later one, and comes later still."""
    history, states = [], [Snapshot(0, {})]
    for number, user in enumerate(users, 1):
        infos = dict(states[-1].infos)
        kind = MEMBER_LEFT if infos.pop(user, None) else MEMBER_JOINED
        if kind == MEMBER_JOINED:
            infos[user] = "null"
        history.append(numbered(number, change(number, kind, user)))
        states.append(Snapshot(number, infos))
    live = data.draw(st.integers(0, len(history)))
    made = data.draw(st.integers(live, len(history)))
    come = data.draw(st.integers(live, len(history)))
    stream = OneStream()
    stream.expect(CHANNEL)
    for event in history[live:come]:
        stream.deliver(event)
    stream.show(CHANNEL, states[made])
    for event in history[come:]:
        stream.deliver(event)
    told = stream.told()
    at = [kind for kind, _ in told].index(MEMBER_LIST)
    present = {member["id"] for member in told[at][1]["members"]}
    for kind, change_ in told[at + 1 :]:
        # Nothing that it knows is told again.
        assert (change_["id"] in present) == (kind == MEMBER_LEFT)
        present ^= {change_["id"]}
    assert present == set(states[-1].infos)


def test_a_member_who_comes_back_with_other_information_is_shown_with_that():
    before = Snapshot(3, {"a": '"x"', "b": "null"})
    arrivals = {"1.2": Arrival("a", '"y"')}
    left = turn(CHANNEL, 3, [], lambda row: False, arrivals, limit=9, now=0)
    events = [change(4, MEMBER_LEFT, "a"), left.events[0]]
    assert before.after(events) == Snapshot(4, {"b": "null"})
    (joined,) = turn(CHANNEL, 4, [], lambda row: False, arrivals, limit=9, now=0).events
    assert before.after([events[0], joined]) == Snapshot(5, {"b": "null", "a": '"y"'})
