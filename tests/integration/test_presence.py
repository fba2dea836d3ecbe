"""Presence, on SQLite and PostgreSQL: each user joins once and leaves once, whatever dies."""

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, transaction
from django.test import override_settings

from realtime import leases, log, models
from realtime.bookkeeping import roster
from realtime.events import MEMBER_JOINED, MEMBER_LEFT, MEMBER_LIST
from realtime.exceptions import InvalidChannel, InvalidEvent, InvalidMember, PresenceFull
from realtime.presence import members, membership
from realtime.triggers import trigger
from tests.integration.conftest import Journal
from tests.ports import wait_until
from tests.rosters import QUICK, told, waits_for

pytestmark = pytest.mark.django_db(transaction=True)

CHANNEL = "presence-a"


@pytest.fixture
def journal(either_database):
    return Journal()


def leases_pass():
    """Waits so long that whatever a lease has held has been given up."""
    threading.Event().wait(6 * QUICK)


def present(channel=CHANNEL):
    return set(membership.members(channel))


def test_several_tabs_on_several_workers_are_one_member(make_site, journal):
    one, other = make_site(), make_site()
    first = one.join(CHANNEL, "1.1", "alice", {"name": "Alice"})
    assert first.members == {"alice": {"name": "Alice"}}
    second = other.join(CHANNEL, "1.1", "alice", {"name": "somebody else"})
    assert second == first
    third = other.join(CHANNEL, "1.2", "bob", None)
    assert third.version > first.version
    assert list(third.members) == ["alice", "bob"]
    one.leave(CHANNEL, "1.1")
    other.leave(CHANNEL, "1.2")
    waits_for(journal, "alice joined", "bob joined", "bob left")
    assert membership.members(CHANNEL) == {"alice": {"name": "Alice"}}
    assert membership.user_counts([CHANNEL, "presence-b"]) == {CHANNEL: 1}
    other.leave(CHANNEL, "1.1")
    waits_for(journal, "alice left")
    assert membership.user_counts([CHANNEL]) == {}


def test_events_after_a_snapshot_have_a_higher_version_and_those_before_have_not(
    make_site, journal
):
    site = make_site()
    site.join(CHANNEL, "1.1", "alice", None)
    snapshot = site.join(CHANNEL, "1.2", "bob", None)
    site.join(CHANNEL, "1.3", "carol", None)
    versions = [members.version(event) for event in journal.read()]
    assert versions[0] < versions[1] == snapshot.version < versions[2]


def test_a_channel_has_room_for_so_many_users(make_site, journal):
    with override_settings(REALTIME_MAX_MEMBERS=2):
        one, other = make_site(), make_site()
        one.join(CHANNEL, "1.1", "alice", None)
        other.join(CHANNEL, "1.1", "bob", None)
        with pytest.raises(PresenceFull):
            one.join(CHANNEL, "1.2", "carol", None)
        assert set(one.join(CHANNEL, "1.3", "bob", None).members) == {"alice", "bob"}
        one.leave(CHANNEL, "1.1")
        waits_for(journal, "alice joined", "bob joined", "alice left")
        one.join(CHANNEL, "1.2", "carol", None)
        waits_for(journal, "carol joined")


def test_a_member_needs_a_usable_id(make_site):
    site = make_site()
    for user_id in ("", "u" * 129, "a\x00b", "\ud800", 7, None):
        with pytest.raises(InvalidMember):
            site.join(CHANNEL, "1.1", user_id, None)


def test_a_member_may_say_what_json_can_and_not_too_much_of_it(make_site):
    site = make_site()
    info = {"name": "Zoë\u2028\x00", "list": [1, None]}
    assert site.join(CHANNEL, "1.1", "Zoë'); --", info).members == {"Zoë'); --": info}
    for wrong in ("x" * 1023, {1, 2}, float("nan")):
        with pytest.raises(InvalidMember):
            site.join(CHANNEL, "1.2", "bob", wrong)
    with pytest.raises(InvalidChannel):
        site.join("presence a", "1.2", "bob", None)
    assert present() == {"Zoë'); --"}


def test_who_leaves_before_anybody_was_told_was_never_there(make_site, journal):
    site = make_site()

    async def join_and_leave():
        joining = asyncio.ensure_future(site.roster.join(CHANNEL, "1.1", "alice", None))
        await asyncio.sleep(0)
        site.roster.leave(CHANNEL, "1.1")
        return await joining

    assert site.call(join_and_leave).members == {}
    assert told(journal) == []


def test_who_gives_up_joining_is_no_member(make_site, journal):
    site = make_site()

    async def join_and_give_up():
        joining = asyncio.ensure_future(site.roster.join(CHANNEL, "1.1", "alice", None))
        await asyncio.sleep(0)
        joining.cancel()

    site.call(join_and_give_up)
    site.join(CHANNEL, "1.2", "bob", None)
    wait_until(lambda: present() == {"bob"}, "alice to be gone")


def test_a_connection_may_leave_and_come_back_as_somebody_else(make_site, journal):
    site = make_site()
    site.join(CHANNEL, "1.1", "alice", None)

    async def swap():
        site.roster.leave(CHANNEL, "1.1")
        return await site.roster.join(CHANNEL, "1.1", "bob", None)

    assert set(site.call(swap).members) == {"bob"}
    waits_for(journal, "alice joined", "alice left", "bob joined")


def test_the_members_of_a_dead_worker_leave_with_its_lease(make_site, journal):
    dying, other = make_site(), make_site()
    dying.join(CHANNEL, "1.1", "alice", None)
    dying.join(CHANNEL, "1.2", "bob", None)
    other.join(CHANNEL, "1.1", "bob", None)
    dying.kill()
    waits_for(journal, "alice joined", "bob joined", "alice left")
    wait_until(lambda: models.Member.objects.count() == 1, "no ghost to be left")


def test_who_comes_back_before_the_lease_is_over_has_never_been_away(make_site, journal):
    dying, other = make_site(), make_site()
    dying.join(CHANNEL, "1.1", "alice", None)
    dying.kill()
    other.join(CHANNEL, "1.1", "alice", None)
    wait_until(lambda: models.Member.objects.count() == 1, "no ghost to be left")
    assert told(journal) == ["alice joined"]
    assert present() == {"alice"}


def test_the_members_of_a_worker_that_drains_stay_as_long_as_its_lease(
    make_site, journal, monkeypatch
):
    monkeypatch.setattr(roster, "LEASE", timedelta(seconds=2))
    leaving, other = make_site(), make_site()
    for socket_id, user in (("1.1", "alice"), ("1.2", "bob")):
        leaving.join(CHANNEL, socket_id, user, None)
    leaving.call(leaving.books.drain)
    leaving.leave(CHANNEL, "1.1")
    leaving.leave(CHANNEL, "1.2")
    leaving.join("presence-b", "1.3", "carol", None)
    assert told(journal) == ["alice joined", "bob joined", "carol joined"]
    other.join(CHANNEL, "1.1", "alice", None)
    # It drains for longer than its lease, and still says that it lives.
    waits_for(journal, "bob left")


def test_a_worker_that_was_frozen_brings_its_members_back(make_site, journal):
    with override_settings(REALTIME_MAX_MEMBERS=1):
        frozen, other = make_site(), make_site()
        frozen.join(CHANNEL, "1.1", "alice", {"n": 1})
        frozen.freeze()
        waits_for(journal, "alice joined", "alice left")
        other.join(CHANNEL, "1.1", "bob", None)
        frozen.thaw()
        waits_for(journal, "bob joined", "alice joined")
    assert membership.members(CHANNEL) == {"bob": None, "alice": {"n": 1}}
    leases_pass()
    assert told(journal) == []


def test_whoever_was_frozen_itself_declares_nobody_lost(make_site, journal):
    one, other = make_site(), make_site()
    one.join(CHANNEL, "1.1", "alice", None)
    other.join(CHANNEL, "1.1", "bob", None)
    leases_pass()
    one.freeze()
    other.freeze()
    leases_pass()
    # Both leases are over; as when the database was away, each would find the other's so.
    one.thaw()
    other.thaw()
    leases_pass()
    assert told(journal) == ["alice joined", "bob joined"]
    assert present() == {"alice", "bob"}


@pytest.mark.parametrize("committed", [False, True])
def test_a_database_that_is_away_is_told_later(make_site, journal, monkeypatch, committed):
    site = make_site()
    apply, failures = membership.apply, []

    def fail(*args):
        if len(failures) == 3:
            return apply(*args)
        failures.append(args)
        if committed:
            apply(*args)
        raise OperationalError("away")

    site.join(CHANNEL, "1.1", "alice", None)
    monkeypatch.setattr(membership, "apply", fail)
    site.leave(CHANNEL, "1.1")
    assert set(site.join(CHANNEL, "1.2", "bob", None).members) == {"bob"}
    assert len(failures) == 3
    waits_for(journal, "alice joined", "alice left", "bob joined")


def test_a_change_and_what_is_told_of_it_are_one(make_site, journal, monkeypatch):
    site = make_site()
    append, failed = log.append, []

    def fail(events):
        if not failed:
            failed.append(1)
            raise OperationalError("full")
        append(events)

    monkeypatch.setattr(log, "append", fail)
    site.join(CHANNEL, "1.1", "alice", None)
    assert failed
    assert models.Member.objects.count() == 1
    assert told(journal) == ["alice joined"]


def test_thousands_come_and_go_in_few_transactions(make_site, journal, monkeypatch):
    count, apply, batches = 1500, membership.apply, []

    def counted(*args):
        batches.append(1)
        return apply(*args)

    monkeypatch.setattr(membership, "apply", counted)
    site = make_site()

    async def all_join():
        joins = (site.roster.join(CHANNEL, f"1.{n}", f"u{n}", None) for n in range(count))
        return await asyncio.gather(*joins)

    async def all_leave():
        for n in range(count):
            site.roster.leave(CHANNEL, f"1.{n}")

    with override_settings(REALTIME_MAX_MEMBERS=count):
        snapshots = site.call(all_join)
        site.call(all_leave)
        wait_until(lambda: not models.Member.objects.exists(), "all to leave")
    assert len(snapshots[-1].members) == count
    assert len(batches) <= 10
    events = journal.read() + journal.read() + journal.read() + journal.read()
    assert [event.type for event in events] == [MEMBER_JOINED] * count + [MEMBER_LEFT] * count


@pytest.mark.parametrize("name", [MEMBER_JOINED, MEMBER_LEFT, MEMBER_LIST])
def test_nobody_else_tells_who_joins_and_leaves(either_database, name):
    for ephemeral in (False, True):
        with pytest.raises(InvalidEvent):
            trigger(CHANNEL, name, {"id": "u", "version": 1}, ephemeral=ephemeral)
    trigger("private-a", name, {})


def test_rows_that_are_of_no_use_are_tidied_up_and_versions_rise_all_the_same(make_site, journal):
    dead, site = make_site(), make_site()
    dead.join(CHANNEL, "1.1", "alice", None)
    dead.join("presence-b", "1.1", "alice", None)
    dead.kill()
    wait_until(lambda: not models.Member.objects.exists(), "the dead to be removed")
    version = models.PresenceChannel.objects.get(pk=CHANNEL).version
    site.join("presence-b", "1.1", "bob", None)
    models.PresenceChannel.objects.update(version=version - 2 * 3600 * 1000)
    models.Worker.objects.update(seen_at="2020-01-01T00:00Z")
    models.Worker.objects.filter(pk=site.worker).update(lost=True)
    membership.tidy()
    leases.tidy()
    assert set(models.PresenceChannel.objects.values_list("pk", flat=True)) == {"presence-b"}
    assert not models.Worker.objects.filter(pk=dead.worker).exists()
    assert models.Worker.objects.filter(pk=site.worker).exists()
    assert site.join(CHANNEL, "1.2", "carol", None).version > version


def test_a_channels_row_that_is_tidied_away_at_the_wrong_moment_is_made_again(
    make_site, journal, monkeypatch
):
    create, tidied = membership._create, []

    def create_and_tidy(*args):
        create(*args)
        if not tidied:
            tidied.append(models.PresenceChannel.objects.all().delete())

    monkeypatch.setattr(membership, "_create", create_and_tidy)
    assert set(make_site().join(CHANNEL, "1.1", "alice", None).members) == {"alice"}
    assert tidied


def test_webhooks_hear_of_it_once_it_is_committed(make_site, journal, monkeypatch):
    heard = []
    monkeypatch.setattr(
        membership.webhooks, "notify", lambda name, **fields: heard.append((name, fields))
    )
    site = make_site()
    site.join(CHANNEL, "1.1", "alice", None)
    site.leave(CHANNEL, "1.1")
    fields = {"channel": CHANNEL, "user_id": "alice"}
    wait_until(lambda: len(heard) == 2, "two webhooks")
    assert heard == [("member_added", fields), ("member_removed", fields)]
    events = journal.read()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        membership._tell("default", events)
        _ = 1 / 0
    assert len(heard) == 2


def test_a_member_whose_subscription_ends_leaves(make_site, journal):
    site = make_site()
    site.join(CHANNEL, "1.1", "alice", None)
    one = site.subscribe(CHANNEL, "1.1")
    site.call(site.hub.drop, one, [CHANNEL])
    waits_for(journal, "alice joined", "alice left")


def test_the_log_shows_joins_and_leaves_to_any_reader(make_site, journal):
    site = make_site()
    version = site.join(CHANNEL, "1.1", "alice", {"n": 1}).version
    (event,) = journal.read()
    data = {"id": "alice", "info": {"n": 1}, "version": version}
    assert json.loads(event.message) == {"channel": CHANNEL, "data": data}
