"""How many subscriptions channels have over all workers, and who is online."""

import json
import threading
import time
from contextlib import suppress

import pytest
from django.db import OperationalError

from realtime import models, occupancy, sequencer, webhooks
from realtime.bookkeeping import tally
from realtime.names import CONTROL
from realtime.presence import membership
from realtime.subscriber import Subscription
from tests.integration.conftest import Journal
from tests.ports import wait_until
from tests.rosters import QUICK, Named

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def hooks(monkeypatch):
    """What webhooks are told, in their order."""
    heard = []

    def notify(name, **fields):
        heard.append(" ".join([name, *map(str, fields.values())]))

    monkeypatch.setattr(webhooks, "notify", notify)
    return heard


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tally, "_TOGETHER", 0.01)
    monkeypatch.setattr(tally, "_BIG_EVERY", 0.3)


@pytest.fixture
def linked(make_site, monkeypatch):
    """Workers that hear what any of them publishes, ephemeral or in the log."""
    sites = [make_site(), make_site()]

    def publish(batch):
        for site in sites:
            for event in batch.events:
                with suppress(RuntimeError):  # It was killed.
                    site.loop.call_soon_threadsafe(site.books.receive, event)

    monkeypatch.setattr(sequencer.broker(), "publish", publish)
    return sites


def become(counts):
    wait_until(lambda: occupancy.occupied() == counts, f"{counts}; {occupancy.occupied()}")


def test_subscriptions_are_counted_over_all_workers(make_site, hooks):
    one, other = make_site(), make_site()
    sockets = [one.subscribe("a", "1.1"), one.subscribe("a", ""), other.subscribe("a", "1.1")]
    one.subscribe("b", "1.1")
    become({"a": 3, "b": 1})
    assert occupancy.counts(["a", "c"]) == {"a": 3}
    assert occupancy.occupied("b") == {"b": 1}
    one.call(one.hub.unsubscribe, sockets[0])
    one.call(one.hub.drop, sockets[1], ["a"])
    become({"a": 1, "b": 1})
    other.call(other.hub.unsubscribe, sockets[2])
    become({"b": 1})
    # They are told once it is committed.
    wait_until(lambda: hooks[-2:] == ["channel_vacated a", "subscription_count a 0"], "the last")
    state = [line for line in hooks if line.startswith("channel_")]
    assert sorted(state) == ["channel_occupied a", "channel_occupied b", "channel_vacated a"]


def test_users_own_channels_are_not_counted(make_site):
    site = make_site()
    site.subscribe("#server-to-user-1", "1.1")
    site.subscribe("a", "1.1")
    become({"a": 1})


def test_what_a_dead_worker_has_counted_is_taken_away_with_its_lease(make_site, hooks):
    dying, other = make_site(), make_site()
    dying.subscribe("a", "1.1")
    dying.subscribe("b", "1.1")
    other.subscribe("b", "1.1")
    become({"a": 1, "b": 2})
    dying.kill()
    become({"b": 1})
    wait_until(lambda: "channel_vacated a" in hooks, "the webhook")
    assert "channel_vacated b" not in hooks


def test_the_counts_of_a_worker_that_drains_stay_as_long_as_its_lease(make_site, hooks):
    leaving, other = make_site(), make_site()
    socket = leaving.subscribe("a", "1.1")
    become({"a": 1})
    leaving.call(leaving.books.drain)
    leaving.call(leaving.hub.unsubscribe, socket)
    other.subscribe("a", "1.1")
    become({"a": 2})
    leaving.kill()
    become({"a": 1})
    assert "channel_vacated a" not in hooks


def test_a_worker_that_was_frozen_counts_again(make_site):
    frozen, other = make_site(), make_site()
    frozen.subscribe("a", "1.1")
    other.subscribe("a", "1.1")
    become({"a": 2})
    frozen.freeze()
    become({"a": 1})
    frozen.thaw()
    become({"a": 2})


def test_a_database_that_is_away_is_told_later(make_site, monkeypatch):
    write, failures = occupancy.write, []

    def fail(*args):
        if len(failures) == 2:
            return write(*args)
        failures.append(1)
        raise OperationalError("away")

    monkeypatch.setattr(occupancy, "write", fail)
    make_site().subscribe("a", "1.1")
    become({"a": 1})
    assert len(failures) == 2


def test_those_who_come_at_once_occupy_a_channel_once(make_site, hooks, caplog):
    sites = [make_site() for _ in range(3)]
    channels = [f"c{n}" for n in range(150)]
    for round in range(8):
        for site in sites:
            for channel in channels:
                site.start(_subscribe(site, channel, f"1.{round}"))
        threading.Event().wait(0.05)
    become(dict.fromkeys(channels, 24))
    assert sorted(hook for hook in hooks if "occupied" in hook) == sorted(
        f"channel_occupied {channel}" for channel in channels
    )
    assert "deadlock" not in caplog.text


async def _subscribe(site, channel, socket_id):
    site.hub.subscribe(Named(socket_id), [channel], Subscription(site.hub.position))


def shown(socket):
    return [json.loads(event.data)["subscription_count"] for event in socket.events]


def test_the_websockets_of_a_channel_are_shown_its_count(linked):
    one, other = linked
    socket = one.subscribe("a", "1.1")
    stream, member = one.subscribe("a", ""), one.subscribe("presence-a", "1.1")
    wait_until(lambda: 2 in shown(socket), "two to be counted")
    third = other.subscribe("a", "1.1")
    for shows in (socket, third):
        wait_until(lambda shows=shows: shown(shows)[-1:] == [3], "three to be counted")
    assert {event.type for event in socket.events} == {"pusher_internal:subscription_count"}
    assert stream.events == member.events == []


def test_a_count_that_comes_late_is_not_shown(linked):
    one, _ = linked
    socket = one.subscribe("a", "1.1")
    wait_until(lambda: shown(socket) == [1], "one to be counted")
    data = json.dumps({"channel": "a", "count": 7, "at": 1.0})
    one.call(one.books.receive, tally.Event(CONTROL, tally.COUNT, data))
    assert shown(socket) == [1]


def test_large_counts_are_shown_now_and_then(linked, monkeypatch, hooks):
    monkeypatch.setattr(tally, "_FEW", 2)
    one, _ = linked
    begun = time.monotonic()
    socket = one.subscribe("a", "1.1")
    become({"a": 1})
    for n in range(2, 22):
        one.subscribe("a", f"1.{n}")
        become({"a": n})
    wait_until(lambda: shown(socket)[-1:] == [21], "all to be shown")
    periods = 1 + (time.monotonic() - begun) / tally._BIG_EVERY
    assert len([count for count in shown(socket) if count > tally._FEW]) <= periods
    wait_until(lambda: "subscription_count a 21" in hooks, "the webhook")


def test_without_an_application_nothing_is_counted(make_site, settings):
    settings.PUSHER_KEY = ""
    site = make_site()
    site.subscribe("a", "1.1")
    site.join("presence-a", "1.1", "alice", None)
    threading.Event().wait(3 * QUICK)
    assert not models.Occupancy.objects.exists()


# Who is online


class Told:
    """What a watcher was told of each user, in its order."""

    def __init__(self):
        self.users = {}

    def __call__(self, online, offline):
        for users, status in ((online, "online"), (offline, "offline")):
            for user in users:
                self.users.setdefault(user, []).append(status)

    def becomes(self, **users):
        wait_until(lambda: self.users == users, f"the watcher to be told {users}")


def test_a_watcher_is_told_who_is_online_and_then_what_changes(linked):
    one, other = linked
    one.call(one.roster.sign_in, "1.1", "alice")
    told = Told()
    stop = other.call(other.books.watchlists.watch, ["alice", "bob"], told)
    wait_until(lambda: told.users.get("alice", [])[-1:] == ["online"], "alice to be online")
    told.users.pop("alice")
    other.call(other.roster.sign_in, "1.1", "alice")
    wait_until(lambda: models.Member.objects.count() == 2, "alice to be signed in twice")
    one.call(one.roster.sign_in, "1.2", "bob")
    one.call(one.roster.sign_out, "1.1", "alice")
    told.becomes(bob=["offline", "online"])
    other.call(other.roster.sign_out, "1.1", "alice")
    told.becomes(bob=["offline", "online"], alice=["offline"])
    other.call(stop)
    one.call(one.roster.sign_out, "1.2", "bob")
    wait_until(lambda: not models.Member.objects.exists(), "bob to be signed out")
    told.becomes(bob=["offline", "online"], alice=["offline"])
    assert not other.books.watchlists._watchers


def test_the_users_of_a_dead_worker_go_offline(linked):
    one, other = linked
    told = Told()
    other.call(other.books.watchlists.watch, ["alice"], told)
    told.becomes(alice=["offline"])
    one.call(one.roster.sign_in, "1.1", "alice")
    told.becomes(alice=["offline", "online"])
    one.kill()
    told.becomes(alice=["offline", "online", "offline"])


def test_a_watcher_asks_anew_after_events_may_have_been_lost(make_site):
    site = make_site()
    told = Told()
    site.call(site.books.watchlists.watch, ["alice"], told)
    told.becomes(alice=["offline"])
    site.call(site.roster.sign_in, "1.1", "alice")
    wait_until(lambda: membership.statuses(["alice"])["alice"].online, "alice to be signed in")
    site.call(site.books.restart)
    told.becomes(alice=["offline", "online"])


def test_what_is_told_late_is_not_believed(make_site):
    site = make_site()
    told = Told()
    site.call(site.roster.sign_in, "1.1", "alice")
    wait_until(lambda: membership.statuses(["alice"])["alice"].online, "alice to be signed in")
    site.call(site.books.watchlists.watch, ["alice"], told)
    told.becomes(alice=["online"])
    late = tally.Event(CONTROL, membership.SIGNED, json.dumps({"alice": [1, False]}))
    site.call(site.books.receive, late)
    told.becomes(alice=["online"])


def test_watching_outlasts_a_database_that_is_away(linked, monkeypatch):
    statuses, failed = membership.statuses, []

    def fail(users):
        if not failed:
            failed.append(1)
            raise OperationalError("away")
        return statuses(users)

    monkeypatch.setattr(membership, "statuses", fail)
    told = Told()
    linked[0].call(linked[0].books.watchlists.watch, ["alice"], told)
    told.becomes(alice=["offline"])
    assert failed


def test_being_signed_in_is_no_membership(linked):
    journal = Journal()
    one, _ = linked
    one.call(one.roster.sign_in, "1.1", "alice")
    wait_until(lambda: models.Member.objects.exists(), "alice to be signed in")
    assert journal.types() == [f"{membership.SIGNED} {CONTROL}"]
