"""Who is there, as WebSockets on two servers see it while one of them dies, freezes and leaves."""

import json
import os
import re
import signal
import time
from contextlib import ExitStack

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.hooks import Hook
from tests.ports import DEADLINE, wait_until
from tests.servers import cluster, stop_all
from tests.streams import Stream
from tests.websockets import APP, ENVIRON

CHANNEL = "presence-todo-list.1"
SUBSCRIPTIONS = "SELECT * FROM realtime_occupancy"
GONE = 6.0
"""Seconds after which nobody sees those whose worker has died: a lease, and a little more."""


@pytest.fixture(scope="module")
def hook():
    """What webhooks are sent to."""
    receiver = Hook(APP)
    yield receiver
    receiver.close()


@pytest.fixture(scope="module")
def servers(make_server, postgres_or_none, hook):
    """Two servers on one database; they may be killed and are started again."""
    environ = ENVIRON | {"PUSHER_WEBHOOK_URLS": hook.url}
    found = cluster(make_server, postgres_or_none, workers=1, **environ)
    yield found
    stop_all(found)


@pytest.fixture
def enter(servers):
    """Opens WebSockets of members, and closes them."""
    with ExitStack() as stack:

        def open_one(server, user_id, channel=CHANNEL):
            url = f"ws://127.0.0.1:{server.port}/app/{APP.key}?protocol=7"
            return Tab(stack.enter_context(connect(url, open_timeout=DEADLINE)), user_id, channel)

        yield open_one
    wait_until(lambda: members(servers) == set(), "everybody to be gone")
    wait_until(lambda: not servers[0].query(SUBSCRIPTIONS), "no subscription to be counted")


class Tab:
    """A WebSocket of a member of the channel: those who are there, by what it has been told."""

    def __init__(self, socket, user_id, channel):
        self.socket = socket
        self.events = []
        socket_id = json.loads(self._next("pusher:connection_established"))["socket_id"]
        member = json.dumps({"user_id": user_id, "user_info": {"name": user_id.title()}})
        auth = APP.channel_auth(socket_id, channel, member)
        subscription = {"channel": channel, "auth": auth, "channel_data": member}
        self.socket.send(json.dumps({"event": "pusher:subscribe", "data": subscription}))
        answer = json.loads(self._next("pusher_internal:subscription_succeeded"))
        self.members = set(answer["presence"]["ids"])

    def _next(self, event):
        frame = json.loads(self.socket.recv(DEADLINE))
        assert frame["event"] == event, frame
        return frame["data"]

    def sees(self, *members):
        """Waits until it knows of exactly these members."""
        end = time.monotonic() + DEADLINE
        while self.members != set(members):
            self.take(end - time.monotonic())

    def take(self, timeout):
        frame = json.loads(self.socket.recv(timeout))
        user_id = json.loads(frame["data"])["user_id"]
        self.events.append(f"{frame['event'].rpartition('_')[2]} {user_id}")
        if frame["event"] == "pusher_internal:member_added":
            assert user_id not in self.members
            self.members.add(user_id)
        else:
            assert frame["event"] == "pusher_internal:member_removed"
            self.members.remove(user_id)

    def hears_nothing(self, seconds):
        with pytest.raises(TimeoutError):
            self.take(seconds)


def members(servers):
    """Those who are there, by the HTTP API."""
    path = f"/apps/{APP.id}/channels/{CHANNEL}/users"
    query = {"auth_key": APP.key, "auth_timestamp": str(int(time.time())), "auth_version": "1.0"}
    query["auth_signature"] = APP.request_signature("GET", path, query.items())
    answer = httpx.get(f"{servers[0].url}{path}", params=query, timeout=DEADLINE)
    assert answer.status_code == 200, answer.text
    return {user["id"] for user in answer.json()["users"]}


def test_several_tabs_on_two_servers_are_one_member(servers, enter):
    one, other = servers
    alice = enter(one, "alice")
    assert alice.members == {"alice"}
    bobs = [enter(one, "bob"), enter(other, "bob")]
    assert bobs[1].members == {"alice", "bob"}
    alice.sees("alice", "bob")
    bobs[0].socket.close()
    assert enter(other, "carol").members == {"alice", "bob", "carol"}
    bobs[1].sees("alice", "bob", "carol")
    bobs[1].socket.close()
    alice.sees("alice", "carol")
    assert alice.events == ["added bob", "added carol", "removed bob"]
    assert members(servers) == {"alice", "carol"}


@pytest.fixture
def look(servers, enter):
    """Opens streams of the demo's users, and closes them."""
    with ExitStack() as stack:

        def open_one(server, username="alice", **options):
            stream = Looker(server.url, [CHANNEL], token=server.token(username), **options)
            return stack.enter_context(stream).opened()

        yield open_one


class Looker(Stream):
    """A stream that follows who is there, by what it is told after its list."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.members = None
        self.version = 0
        self.told = []

    def sees(self, *members):
        """Waits until it knows of exactly these members."""
        while self.members != set(members):
            self.take()

    def take(self):
        kind, message = self.change()
        assert message["channel"] == CHANNEL
        data = message["data"]
        if kind == "member.list":
            self.members = {member["id"] for member in data["members"]}
            self.told.append(f"list {' '.join(sorted(self.members))}")
        elif self.members is not None:
            assert data["version"] > self.version
            assert (data["id"] in self.members) == (kind == "member.left")
            self.members ^= {data["id"]}
            self.told.append(f"{kind.partition('.')[2]} {data['id']}")
        self.version = data["version"]
        return kind, data


ALICE, BOB = "1", "2"
"""The ids of the demo's users."""


def test_streams_see_who_comes_and_goes(servers, enter, look):
    stream = look(servers[1])
    stream.sees(ALICE)
    carol = enter(servers[0], "carol")
    carol.sees(ALICE, "carol")
    carol.socket.close()
    joined, left = stream.take(), stream.take()
    version = joined[1].pop("version")
    assert joined == ("member.joined", {"id": "carol", "info": {"name": "Carol"}})
    assert left[0] == "member.left"
    assert left[1]["id"] == "carol"
    assert left[1]["version"] > version


def test_streams_and_websockets_of_a_user_are_one_member(servers, enter, look):
    one, other = servers
    witness = look(one, "bob")
    witness.sees(BOB)
    first = look(one)
    witness.sees(ALICE, BOB)
    second, third = look(other), enter(other, ALICE)
    second.sees(ALICE, BOB)
    third.sees(ALICE, BOB)
    # A page that opens its next stream before it closes the last one never leaves.
    first.close()
    third.socket.close()
    enter(other, "carol").sees(ALICE, BOB, "carol")
    witness.sees(ALICE, BOB, "carol")
    second.close()
    witness.sees(BOB, "carol")
    assert witness.told == [f"list {BOB}", f"joined {ALICE}", "joined carol", f"left {ALICE}"]


def test_who_resumes_gets_what_it_missed_and_then_all_who_are_there(servers, enter, look):
    one, other = servers
    stream = look(one)
    stream.sees(ALICE)
    enter(one, "carol")
    stream.sees(ALICE, "carol")
    stream.close()
    wait_until(lambda: members(servers) == {"carol"}, "the stream to be missed")
    bob = look(other, "bob")
    bob.sees(BOB, "carol")
    back = look(other, last_event_id=stream.last_event_id)
    missed = []
    while back.members is None:
        kind, data = back.take()
        missed += [(kind, data["id"])] if "id" in data else []
    # Its own coming may be told before the list, and is in there then.
    assert missed[:2] == [("member.left", ALICE), ("member.joined", BOB)]
    assert missed[2:] in ([], [("member.joined", ALICE)])
    back.sees(ALICE, BOB, "carol")
    bob.close()
    back.sees(ALICE, "carol")


def test_the_streams_of_a_worker_that_is_killed_are_gone_after_its_lease(servers, enter, look):
    one, other = servers
    witness = look(one)
    look(other, "bob")
    witness.sees(ALICE, BOB)
    for worker in other.workers:
        os.kill(worker, signal.SIGKILL)
    witness.sees(ALICE)
    assert witness.told == [f"list {ALICE}", f"joined {BOB}", f"left {BOB}"]
    assert members(servers) == {ALICE}


def test_rest_tells_who_is_there_without_being_there(servers, enter, look):
    one, other = servers
    look(one).sees(ALICE)
    with other.client("bob") as bob:
        answer = bob.get("/api/todo-lists/1/presence/")
        assert answer.json()["members"] == [{"id": ALICE, "info": {"name": "alice"}}]
        link = r'<(.+)>; rel="stream"; last-event-id="(.+)"'
        path, position = re.fullmatch(link, answer.headers["Link"]).groups()
        assert path == f"/api/events/?channel={CHANNEL}"
        enter(one, "carol").sees(ALICE, "carol")

        def missed():
            headers = {"Accept": "application/json", "Last-Event-ID": position}
            return bob.get(path, headers=headers).json()["events"]

        wait_until(missed, "carol's coming")
        found = [event["data"]["data"] for event in missed()]
        newer = [data for data in found if data["version"] > answer.json()["version"]]
        assert [data["id"] for data in newer] == ["carol"]


def test_those_on_a_worker_that_is_killed_are_gone_after_its_lease(servers, enter):
    one, other = servers
    witness = enter(one, "alice")
    enter(other, "bob")
    enter(other, "carol")
    witness.sees("alice", "bob", "carol")
    for worker in other.workers:
        os.kill(worker, signal.SIGKILL)
    killed = time.monotonic()
    # Back at once, by another worker.
    enter(one, "carol")
    witness.sees("alice", "carol")
    assert time.monotonic() - killed < GONE
    assert witness.events[2:] == ["removed bob"]
    witness.hears_nothing(0.5)
    assert members(servers) == {"alice", "carol"}


def test_webhooks_hear_what_becomes_of_a_killed_worker(servers, enter, hook):
    _, other = servers
    channel = "presence-of-the-killed"

    def heard(*names):
        found = [event["name"] for event in hook.told if event["channel"] == channel]
        return sorted(found) == sorted(names)

    come = ("channel_occupied", "member_added")
    hook.told.clear()
    enter(other, "bob", channel)
    wait_until(lambda: heard(*come), "two webhooks")
    for worker in other.workers:
        os.kill(worker, signal.SIGKILL)
    wait_until(lambda: heard(*come, "channel_vacated", "member_removed"), "four webhooks")


def test_those_on_a_worker_that_was_frozen_come_back(servers, enter):
    one, other = servers
    witness = enter(one, "alice")
    bob = enter(other, "bob")
    witness.sees("alice", "bob")
    [worker] = other.workers
    os.kill(worker, signal.SIGSTOP)
    try:
        witness.sees("alice")
    finally:
        os.kill(worker, signal.SIGCONT)
    witness.sees("alice", "bob")
    bob.sees("alice", "bob")
    assert witness.events == ["added bob", "removed bob", "added bob"]


def test_those_who_change_the_server_before_it_ends_never_leave(servers, enter):
    one, other = servers
    witness = enter(one, "alice")
    bob = enter(other, "bob")
    witness.sees("alice", "bob")
    other.signal(signal.SIGTERM)
    with pytest.raises(ConnectionClosed):
        bob.take(DEADLINE)
    enter(one, "bob")
    other.wait()
    other.start()
    # What it has left behind is cleared away, and nobody is told anything.
    wait_until(lambda: one.query("SELECT count(*) FROM realtime_member") == [(2,)], "two rows")
    witness.hears_nothing(0.5)
    assert members(servers) == {"alice", "bob"}
