"""Presence under everything at once: what the log tells is, at each version, what is true."""

import json
import random
import threading
from collections import defaultdict
from concurrent.futures import Future

import pytest
from django.db import OperationalError

from realtime import log, models
from realtime.events import MEMBER_JOINED
from realtime.presence import membership
from realtime.presence.members import version
from realtime.testing import settle
from tests.ports import wait_until
from tests.rosters import QUICK

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = [f"presence-{n}" for n in range(3)]
USERS = ["alice", "bob", "carol"]
STEPS = 120


class History:
    """The members of each channel at each of its versions, as the log tells them."""

    def __init__(self, start):
        self.members = defaultdict(dict)
        self.versions = defaultdict(lambda: {0: {}})
        settle()
        complete = False
        while not complete:
            page = log.read_after(start)
            for event in page.events:
                self._follow(event)
            start, complete = page.upto, page.complete

    def _follow(self, event):
        data, present = json.loads(event.data), self.members[event.channel]
        assert version(event) > max(self.versions[event.channel])
        if event.type == MEMBER_JOINED:
            assert data["id"] not in present, "a second join"
            present[data["id"]] = data["info"]
        else:
            assert data["id"] in present, "a second leave"
            del present[data["id"]]
        self.versions[event.channel][version(event)] = dict(present)


class Clients:
    """Connections that come and go, on workers that are frozen and killed."""

    def __init__(self, make_site, chance):
        self.make_site = make_site
        self.chance = chance
        self.sites = [make_site() for _ in range(3)]
        self.joined = {}
        self.snapshots = []
        self.serial = 0

    def step(self):
        kind = self.chance.choices(["join", "leave", "burst", "kill", "freeze"], [50, 40, 6, 2, 2])
        getattr(self, kind[0])()

    def join(self):
        self.serial += 1
        site, channel = self.chance.choice(self.sites), self.chance.choice(CHANNELS)
        socket_id, user = f"1.{self.serial}", self.chance.choice(USERS)
        joining = site.start(site.roster.join(channel, socket_id, user, self.serial))
        self.joined[site, channel, socket_id] = user
        self.snapshots.append((channel, joining))

    def leave(self):
        if self.joined:
            site, channel, socket_id = key = self.chance.choice(list(self.joined))
            del self.joined[key]
            site.start(leave(site, channel, socket_id))

    def burst(self):
        """All of one worker leave and come back elsewhere."""
        old = self.chance.choice(self.sites)
        for (site, channel, socket_id), _user in list(self.joined.items()):
            if site is old:
                del self.joined[site, channel, socket_id]
                site.start(leave(site, channel, socket_id))
                self.join()

    def kill(self):
        dying = self.chance.choice(self.sites)
        self.sites.remove(dying)
        dying.kill()
        self.joined = {key: user for key, user in self.joined.items() if key[0] is not dying}
        self.sites.append(self.make_site())

    def freeze(self):
        site = self.chance.choice(self.sites)
        site.freeze()
        threading.Event().wait(self.chance.choice([1, 6]) * QUICK)
        site.thaw()

    def settled(self, start):
        """The history, once the database has exactly the connections that there are, and the log
        has told of their users; it may take a while until all is told."""
        wanted = {(site.worker, *key): user for (site, *key), user in self.joined.items()}
        rows = models.Member.objects.values_list("worker", "channel", "socket_id", "user_id")
        found = {tuple(row): user for *row, user in rows}
        history = History(start)
        members = {channel: membership.members(channel) for channel in CHANNELS}
        told = {channel: history.members[channel] for channel in CHANNELS}
        return history if found == wanted and told == members else None


async def leave(site, channel, socket_id):
    # A coroutine as joining is, so that it does not overtake it.
    site.roster.leave(channel, socket_id)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_snapshot_and_what_follows_it_are_the_members_exactly(
    make_site, monkeypatch, caplog, seed
):
    chance = random.Random(seed)
    apply = membership.apply

    def sometimes_fails(*args):
        if random.random() < 0.05:
            raise OperationalError("away")
        answer = apply(*args)
        if random.random() < 0.05:
            raise OperationalError("gone after it was committed")
        return answer

    monkeypatch.setattr(membership, "apply", sometimes_fails)
    start = log.head()
    clients = Clients(make_site, chance)
    for _ in range(STEPS):
        clients.step()
        threading.Event().wait(chance.choice([0, 0, 0.002, 0.02]))
    history = wait_until(lambda: clients.settled(start), "the log to tell who is there")
    checked = 0
    for channel, joining in clients.snapshots:
        if isinstance(joining, Future) and joining.done() and not joining.cancelled():
            snapshot = joining.result()
            assert history.versions[channel][snapshot.version] == snapshot.members
            checked += 1
    assert checked > STEPS // 4
    assert "deadlock" not in caplog.text
