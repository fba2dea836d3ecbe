"""What a feeder publishes to a proxy, round by round; tests/e2e/pushpin/ has a real one."""

import json

import pytest

from realtime.events import Event
from realtime.grip import feeder as module
from realtime.grip import feeds, holds
from realtime.grip.feeder import Feeder
from realtime.grip.proxies import Proxy
from realtime.rights.grants import Grant
from realtime.testing import settle
from tests.logged import logged

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(monkeypatch):
    """What a proxy was sent: channels, and the texts of events or the actions."""
    sent = []

    def publish(proxy, items):
        for item in items:
            form = item["http-stream"]
            sent.append((item["channel"], form.get("content") or form["action"]))

    monkeypatch.setattr(Proxy, "publish", publish)
    return sent


@pytest.fixture
def feeder(published, monkeypatch):
    """One that leads, and lets no time pass between its rounds."""
    monkeypatch.setattr(module, "RIGHTS_INTERVAL", 0)
    monkeypatch.setattr(module, "_SETTLED", 0)
    monkeypatch.setattr(module.connections, "close_all", lambda: None)
    feeder = Feeder(Proxy("http://127.0.0.1:1?key=secret"))
    feeder._round()
    assert feeder._leading
    return feeder


def hints(published):
    return [channel for channel, what in published if what == "hint"]


def test_a_right_that_an_event_ends_ends_the_feed_and_its_streams_are_called(
    feeder, published, alice, bob, groceries
):
    groceries.members.add(bob)
    settle()
    feeder._round()
    channels = [f"private-todo-list.{groceries.pk}"]
    ended, other = (
        feeds.register(Grant(bob.pk), channels),
        feeds.register(Grant(alice.pk), channels),
    )
    groceries.members.remove(bob)
    settle()
    feeder._round()
    assert feeds.ended() == [ended.id]
    assert {feed.id for feed in feeds.held()} == {other.id}
    # Urgent: not by the channel whose hints a proxy takes one after the other.
    assert hints(published) == [holds.aside(ended.id)]


def test_grounds_that_have_ended_end_the_feed(feeder, published, alice, django_user_model):
    feed = feeds.register(Grant(alice.pk), [f"private-user.{alice.pk}"])
    feeder._round()
    assert feeds.ended() == []
    django_user_model.objects.filter(pk=alice.pk).update(is_active=False)
    feeder._round()
    assert feeds.ended() == [feed.id]
    assert hints(published) == [holds.aside(feed.id)]


def test_what_comes_too_fast_is_asked_for_once_more(feeder, published):
    feed = feeds.register(Grant(), ["a"])
    few = module._CROWDED
    logged(Event("a", "x", json.dumps(n)) for n in range(few))
    feeder._round()
    feeder._round()
    assert len(published) == few
    assert hints(published) == []
    logged(Event("a", "x", json.dumps(n)) for n in range(few + 1))
    feeder._round()
    feeder._round()
    assert hints(published) == [holds.channel(feed.id)]
