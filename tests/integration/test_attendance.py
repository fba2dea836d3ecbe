"""Streams that subscribe to presence channels, on SQLite and PostgreSQL: they make members of their
users, and are shown all of them."""

import json
import threading

import pytest
from django.db import OperationalError
from django.test import override_settings

from realtime.bookkeeping.attendance import Attendee, Attending
from realtime.events import EventId
from realtime.presence import membership
from realtime.presence.members import Snapshot
from realtime.subscriber import Subscription
from tests.integration.conftest import Journal
from tests.ports import wait_until
from tests.rosters import told, waits_for

pytestmark = pytest.mark.django_db(transaction=True)

CHANNEL = "presence-a"


class Kept(Attending):
    """A stream that keeps what it is written."""

    def __init__(self, user_id, info=None):
        super().__init__(limit=10**6, attendee=Attendee(user_id, info))

    def forbid(self, channels): ...
    def reset(self, position, reason): ...
    def keep_alive(self, position): ...
    def retire(self): ...

    @property
    def lists(self):
        """The members that it was shown, by each list."""
        messages = [json.loads(frame.partition(b"data: ")[2]) for frame in list(self.frames)]
        return [m["data"]["members"] for m in messages if "members" in m["data"]]

    def shown(self, *members, times=1):
        """Waits until it was shown so many lists, the last of these members."""
        wait_until(lambda: len(self.lists) >= times, "a list of members")
        assert [member["id"] for member in self.lists[-1]] == list(members)


@pytest.fixture
def journal(either_database):
    return Journal()


def opened(site, user_id, info=None, channels=(CHANNEL,)):
    stream = Kept(user_id, info)
    site.call(site.hub.subscribe, stream, channels, Subscription(site.hub.position))
    return stream


def closed(site, stream):
    site.call(site.hub.unsubscribe, stream)


def test_a_user_is_a_member_from_the_first_stream_to_the_last(make_site, journal):
    one, other = make_site(), make_site()
    first = opened(one, "alice", {"name": "Alice"}, [CHANNEL, "private-b"])
    first.shown("alice")
    assert first.lists == [[{"id": "alice", "info": {"name": "Alice"}}]]
    second = opened(other, "alice", {"name": "somebody else"})
    second.shown("alice")
    assert second.lists == first.lists
    opened(other, "bob").shown("alice", "bob")
    closed(one, first)
    # By a WebSocket as well.
    other.join(CHANNEL, "1.1", "alice", None)
    closed(other, second)
    other.leave(CHANNEL, "1.1")
    waits_for(journal, "alice joined", "bob joined", "alice left")
    assert list(membership.snapshot("private-b").infos) == []


def test_a_stream_that_loses_its_right_is_no_member(make_site, journal):
    site = make_site()
    stream = opened(site, "alice", channels=[CHANNEL, "private-b"])
    stream.shown("alice")
    site.call(site.hub.drop, stream, [CHANNEL])
    waits_for(journal, "alice joined", "alice left")


def test_a_stream_that_ends_while_it_joins_leaves_no_ghost(make_site, journal):
    site = make_site()

    async def come_and_go():
        stream = Kept("alice")
        site.hub.subscribe(stream, [CHANNEL], Subscription(site.hub.position))
        site.hub.unsubscribe(stream)
        return stream

    gone = site.call(come_and_go)
    opened(site, "bob").shown("bob")
    assert told(journal) == ["bob joined"]
    assert gone.lists == []


def test_the_streams_of_a_dead_worker_leave_with_its_lease(make_site, journal):
    dying, other = make_site(), make_site()
    opened(dying, "alice").shown("alice")
    opened(dying, "bob").shown("alice", "bob")
    opened(other, "bob").shown("alice", "bob")
    dying.kill()
    waits_for(journal, "alice joined", "bob joined", "alice left")


def test_a_full_channel_is_only_watched(make_site, journal):
    with override_settings(REALTIME_MAX_MEMBERS=1):
        site = make_site()
        first = opened(site, "alice")
        first.shown("alice")
        late = opened(site, "bob")
        late.shown("alice")
        closed(site, late)
        closed(site, first)
    waits_for(journal, "alice joined", "alice left")


def test_who_tells_too_much_of_itself_only_watches(make_site, journal):
    site = make_site()
    opened(site, "alice").shown("alice")
    opened(site, "bob", "x" * 2000).shown("alice")
    assert told(journal) == ["alice joined"]


def test_a_database_that_is_away_is_asked_again(make_site, journal, monkeypatch):
    monkeypatch.setattr("realtime.bookkeeping.attendance.RENEWAL", 0.01)
    read, failures = membership.snapshot, []

    def fail(channel):
        if len(failures) == 2:
            return read(channel)
        failures.append(channel)
        raise OperationalError("away")

    monkeypatch.setattr(membership, "snapshot", fail)
    opened(make_site(), "bob", "x" * 2000).shown()
    assert len(failures) == 2


def test_after_a_restart_all_are_shown_anew(make_site, journal):
    site = make_site()
    stream = opened(site, "alice")
    stream.shown("alice")
    site.join(CHANNEL, "1.1", "bob", None)
    # Also while a list is under way: the newer one counts.
    site.call(site.books.restart)
    site.call(site.books.restart)
    stream.shown("alice", "bob", times=2)
    assert told(journal) == ["alice joined", "bob joined"]


def test_a_snapshot_is_of_one_moment(make_site, journal):
    """While others come and go, members and version always belong together."""
    site = make_site()
    stop = threading.Event()
    known = {0: {}}

    def come_and_go():
        n = 0
        while not stop.is_set():
            n += 1
            site.join(CHANNEL, f"1.{n}", f"u{n % 3}", None)
            site.leave(CHANNEL, f"1.{n - 1}")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        found = []
        while len({snapshot.version for snapshot in found}) < 10 or len(found) < 60:
            found.append(membership.snapshot(CHANNEL))
    finally:
        stop.set()
        thread.join()
    state = Snapshot(0, {})
    for event in journal.read():
        state = state.after([event])
        known[state.version] = set(state.infos)
    for snapshot in found:
        if snapshot.version:
            assert set(snapshot.infos) == known[snapshot.version]


def test_the_members_of_a_channel_that_nobody_was_ever_in_are_none(either_database):
    assert membership.snapshot("presence-b") == Snapshot(0, {})


def test_a_position_is_no_matter(make_site, journal):
    """What a stream has missed of the members is in its list."""
    site = make_site()
    site.join(CHANNEL, "1.1", "bob", None)
    site.leave(CHANNEL, "1.1")
    waits_for(journal, "bob joined", "bob left")
    stream = Kept("alice")
    site.call(site.hub.subscribe, stream, [CHANNEL], Subscription(EventId(0, "abcdefgh")))
    stream.shown("alice")
