"""What is kept about streams behind a proxy, and which process publishes to it."""

import time

import pytest

from realtime import log
from realtime.events import Event, EventId
from realtime.grip import feeds
from realtime.grip.leadership import Leadership
from realtime.models import Feed, FeedChannel, Proxy
from realtime.rights.grants import Grant
from tests.logged import logged

pytestmark = pytest.mark.django_db

ALICE, BOB = Grant(1, token="a"), Grant(2, token="b")


def write(*channels):
    """Logs an event on each of these channels; their ids."""
    return [event.id for event in logged(Event(channel, "x", "{}") for channel in channels)]


# Feeds


def test_streams_of_one_grant_and_the_same_channels_share_a_feed():
    first = feeds.register(ALICE, ["b", "a"])
    again = feeds.register(ALICE, ["a", "b"])
    assert (again.id, first.new, again.new) == (first.id, True, False)
    assert len({first.id, feeds.register(ALICE, ["a"]).id, feeds.register(BOB, ["a", "b"]).id}) == 3


def test_who_is_not_logged_in_shares_with_all_who_are_not():
    one = feeds.register(Grant(address="10.0.0.1"), ["news"])
    other = feeds.register(Grant(address="10.0.0.2"), ["news"])
    assert one.id == other.id
    assert feeds.find(one.id).grant == Grant()


def test_an_owner_has_no_more_feeds_than_the_quota():
    assert feeds.register(ALICE, ["a"], 2)
    assert feeds.register(ALICE, ["b"], 2)
    assert feeds.register(ALICE, ["c"], 2) is None
    assert feeds.register(ALICE, ["b"], 2), "this one is there already"
    assert feeds.register(BOB, ["c"], 2)


def test_events_go_to_the_feeds_of_their_channel():
    ab, b = feeds.register(ALICE, ["a", "b"]).id, feeds.register(BOB, ["b"]).id
    assert feeds.subscribed({"a", "b", "c"}) == {"a": [ab], "b": [ab, b]}
    assert feeds.channels_of([ab, "unknown"]) == {ab: ["a", "b"]}


def test_an_ended_feed_gets_nothing_and_has_a_successor():
    feed = feeds.register(ALICE, ["a", "b"])
    feeds.end([feed.id])
    assert feeds.subscribed(["a", "b"]) == {}
    assert feeds.ended() == [feed.id]
    assert feeds.held() == []
    assert feeds.find(feed.id).ended
    assert feeds.register(ALICE, ["a", "b"]).new


def test_a_feed_that_nobody_asks_for_is_forgotten(settings):
    old, young = feeds.register(ALICE, ["a"]).id, feeds.register(ALICE, ["b"]).id
    asked = feeds.register(ALICE, ["c"]).id
    long_ago = "2020-01-01T00:00:00Z"
    Feed.objects.filter(pk__in=[old, asked]).update(seen_at=long_ago)
    assert feeds.find(asked)
    feeds.tidy()
    assert {feed.id for feed in feeds.held()} == {young, asked}
    assert feeds.find(old) is None
    assert not FeedChannel.objects.filter(channel="a").exists()


# The log


def test_the_last_event_before_a_position_is_found_on_any_channel():
    a, b, c, a2 = write("a", "b", "c", "a")
    assert log.last_before(["a", "b"], c) == b
    assert log.last_before(["a"], c) == a
    assert log.last_before(["a", "b"], a2) == a2
    assert log.last_before(["never"], a2) is None
    assert log.last_before([f"n{n}" for n in range(99)] + ["b"], a2) == b


# Leadership


def test_one_process_publishes_and_the_next_goes_on_where_it_stopped():
    start = log.head()
    one, other = Leadership("http://a"), Leadership("http://a")
    assert one.take() == start
    assert one.held
    assert other.take() is None
    assert not other.held
    (position,) = write("a")
    one.release(position)
    assert not one.held
    assert other.take() == position
    assert one.take() is None


def test_each_proxy_has_its_own():
    assert Leadership("http://a").take()
    assert Leadership("http://b").take()


def test_who_has_not_been_heard_of_is_replaced(monkeypatch):
    one, other = Leadership("http://a"), Leadership("http://a")
    one.take()
    monkeypatch.setattr("realtime.grip.leadership.RENEWAL", 0)
    (position,) = write("a")
    assert one.renew(position)
    assert other.take() is None
    Proxy.objects.update(seen_at="2020-01-01T00:00:00Z")
    assert other.take() == position
    assert not one.renew(EventId(9, "abcdefgh"))
    assert not one.held


def test_who_stood_still_does_not_publish(monkeypatch):
    one = Leadership("http://a")
    one.take()
    later = time.monotonic() + 3.5
    monkeypatch.setattr("time.monotonic", lambda: later)
    assert not one.held
