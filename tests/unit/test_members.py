"""What becomes of a presence channel's members by a change."""

import json

from hypothesis import given
from hypothesis import strategies as st

from realtime.events import MEMBER_JOINED, MEMBER_LEFT, Event
from realtime.presence import members
from realtime.presence.members import Arrival, Row, Snapshot


def row(pk, user_id, info="null", socket_id="1.1"):
    return Row(pk, "worker", False, socket_id, user_id, info)


def turn(rows=(), gone=(), arrivals=None, limit=100, version=9, now=0):
    return members.turn(
        "presence-a",
        version,
        rows,
        lambda r: r.pk in gone,
        arrivals or {},
        limit=limit,
        now=now,
    )


def told(turned):
    return [(event.type, json.loads(event.data)) for event in turned.events]


def test_a_users_first_connection_joins_and_the_last_leaves():
    first = turn(arrivals={"1.1": Arrival("u", '{"a":1}')})
    assert told(first) == [(MEMBER_JOINED, {"id": "u", "info": {"a": 1}, "version": 10})]
    assert first.outcome.snapshot == Snapshot(10, {"u": '{"a":1}'})
    rows = [row(1, "u"), row(2, "u")]
    assert turn(rows, gone={1}).events == []
    last = turn(rows, gone={1, 2})
    assert told(last) == [(MEMBER_LEFT, {"id": "u", "version": 10})]
    assert last.outcome.snapshot == Snapshot(10, {})
    assert last.removed == [1, 2]


def test_without_an_event_the_version_stays():
    turned = turn([row(1, "u")], arrivals={"1.2": Arrival("u", "null")})
    assert turned.outcome.snapshot.version == 9
    assert list(turned.added) == ["1.2"]


def test_a_version_rises_with_the_time_and_also_when_the_clock_is_behind():
    arrivals = {"1.1": Arrival("u", "null"), "1.2": Arrival("v", "null")}
    for now, first in ((50, 50), (3, 10)):
        turned = turn(arrivals=arrivals, now=now)
        assert [data["version"] for _, data in told(turned)] == [first, first + 1]
        assert turned.outcome.snapshot.version == first + 1
    assert turn([row(1, "u")], now=50).outcome.snapshot.version == 9


def test_who_leaves_and_comes_back_together_was_never_away():
    assert turn([row(1, "u")], gone={1}, arrivals={"1.2": Arrival("u", "null")}).events == []


def test_everybody_knows_the_same_of_a_user_with_several_connections():
    turned = turn([row(1, "u", '"old"')], arrivals={"1.2": Arrival("u", '"new"')})
    assert turned.added == {"1.2": Arrival("u", '"old"')}
    assert turned.events == []
    turned = turn([row(1, "u", '"old"')], gone={1}, arrivals={"1.2": Arrival("u", '"new"')})
    assert [kind for kind, _ in told(turned)] == [MEMBER_LEFT, MEMBER_JOINED]
    assert turned.outcome.snapshot == Snapshot(11, {"u": '"new"'})


def test_the_limit_is_on_users_and_not_on_connections_or_on_those_who_were_there():
    rows = [row(1, "a"), row(2, "b")]
    arrivals = {
        "1.1": Arrival("a", "null"),
        "1.2": Arrival("c", "null"),
        "1.3": Arrival("d", "null", known=True),
    }
    turned = turn(rows, arrivals=arrivals, limit=2)
    assert turned.outcome.refused == {"1.2"}
    assert set(turned.added) == {"1.1", "1.3"}
    assert turn(rows, gone={1}, arrivals={"1.2": arrivals["1.2"]}, limit=2).outcome.refused == set()


def test_pushers_clients_are_told_of_all_in_their_form():
    snapshot = Snapshot(1, {"10": '{"name":"Mr. Channels"}', 'a"b': "null"})
    assert json.loads(snapshot.presence) == {
        "presence": {
            "ids": ["10", 'a"b'],
            "hash": {"10": {"name": "Mr. Channels"}, 'a"b': None},
            "count": 2,
        }
    }


def test_only_joins_and_leaves_have_a_version():
    assert members.version(Event("presence-a", MEMBER_LEFT, '{"id":"u","version":7}')) == 7
    assert members.version(Event("presence-a", "note", '{"version":7}')) is None


users = st.sampled_from("abc")
infos = st.sampled_from(['"x"', '"y"'])


@given(
    st.lists(st.tuples(users, infos), max_size=6),
    st.sets(st.integers(0, 5)),
    st.dictionaries(st.sampled_from(["1.1", "1.2", "1.3"]), st.builds(Arrival, users, infos)),
    st.integers(1, 4),
)
def test_the_events_lead_from_the_members_before_to_those_after(rows, gone, arrivals, limit):
    known = {}
    rows = [row(n, user, known.setdefault(user, info)) for n, (user, info) in enumerate(rows)]
    turned = turn(rows, gone, arrivals, limit)
    found = dict(known)
    version = 9
    for kind, data in told(turned):
        assert data["version"] == version + 1
        version += 1
        if kind == MEMBER_LEFT:
            del found[data["id"]]
        else:
            assert data["id"] not in found
            found[data["id"]] = json.dumps(data["info"])
    assert turned.outcome.snapshot == Snapshot(version, found)
    stay = {r.user_id for r in rows if r.pk not in gone}
    assert set(found) == stay | {arrival.user_id for arrival in turned.added.values()}
    assert set(turned.added) == set(arrivals) - turned.outcome.refused
