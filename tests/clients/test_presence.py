"""Who is there, as pusher-js sees it: several tabs, crashes, returns."""

import os
import signal

import pusher
import pytest

from tests.clients.client import Client, Connect, Node, options_for
from tests.clients.conftest import APP, new_list, python_backend, user_id
from tests.servers import Server, wait_until

ADDED, REMOVED = "pusher:member_added", "pusher:member_removed"


@pytest.fixture(scope="module")
def shared(pusher_server: Server) -> str:
    """The presence channel of a list that alice shares with bob."""
    return f"presence-todo-list.{new_list(pusher_server, 'bob')}"


def test_members_are_users_however_many_tabs_they_have(
    connect: Connect, backend: pusher.Pusher, pusher_server: Server, shared: str
) -> None:
    alice_id, bob_id = (user_id(pusher_server, name) for name in ("alice", "bob"))
    alice = connect("alice")
    alice.subscribed(shared)
    assert alice.members(shared) == {
        "me": alice_id, "count": 1, "all": {alice_id: {"name": "alice"}},
    }  # fmt: skip
    tabs = [connect("bob"), connect("bob")]
    for tab in tabs:
        tab.subscribed(shared)
    assert alice.wait(shared, ADDED) == {"id": bob_id, "info": {"name": "bob"}}
    assert set(tabs[1].members(shared)["all"]) == {alice_id, bob_id}
    assert [user["id"] for user in backend.users_info(shared)["users"]] == [alice_id, bob_id]
    tabs[0].disconnect()
    tabs[1].call("(pusher, channel) => pusher.unsubscribe(channel)", shared)
    assert alice.wait(shared, REMOVED) == {"id": bob_id, "info": {"name": "bob"}}
    assert (len(alice.heard(shared, ADDED)), len(alice.heard(shared, REMOVED))) == (1, 1)
    assert tabs[0].heard(shared, ADDED) == []


def test_client_events_on_presence_channels_say_whose_they_are(
    connect: Connect, pusher_server: Server, shared: str
) -> None:
    alice, bob = connect("alice"), connect("bob")
    for client in (alice, bob):
        client.subscribed(shared)
    note = """(pusher, channel) => pusher.channel(channel).bind('client-wave',
        (data, metadata) => { pusher.waved = [data, metadata]; }) && 0"""
    alice.call(note, shared)
    bob.call("(pusher, channel) => pusher.channel(channel).trigger('client-wave', {})", shared)
    waved = wait_until(lambda: alice.call("(pusher) => pusher.waved ?? null"), "the wave")
    assert waved == [{}, {"user_id": user_id(pusher_server, "bob")}]


def worker_of(server: Server, client: Client) -> int:
    """The process id of the worker that holds a member's connection."""
    socket_id = client.connected()
    rows = server.query(
        "SELECT pid FROM realtime_member AS member JOIN realtime_worker AS worker"
        f" ON worker.id = member.worker_id WHERE socket_id = '{socket_id}'"
    )
    return int(rows[0][0])


def test_a_killed_worker_leaves_no_ghosts_and_who_comes_back_is_told(
    node: Node, mortal_server: Server
) -> None:
    server = mortal_server
    channel = f"presence-todo-list.{new_list(server, 'bob')}"
    tokens = {name: server.token(name) for name in ("alice", "bob")}

    def visit(name: str) -> Client:
        client = Client(node, APP["PUSHER_KEY"], options_for(server, tokens[name]))
        client.subscribed(channel)
        return client

    def seen(*names: str) -> None:
        """Waits until alice sees these users, and nobody else."""
        ids = {user_id(server, name) for name in names}
        wait_until(lambda: set(alice.members(channel)["all"]) == ids, f"{names} to be there")

    alice = visit("alice")
    home = worker_of(server, alice)
    bob = visit("bob")
    for _ in range(40):
        if (victim := worker_of(server, bob)) != home:
            break
        bob.disconnect()
        seen("alice")
        bob = visit("bob")
    assert victim != home
    seen("alice", "bob")
    os.kill(victim, signal.SIGSTOP)
    bob.disconnect()  # before pusher-js comes back by itself
    os.kill(victim, signal.SIGKILL)
    before = len(alice.heard(channel))
    seen("alice")
    server.replaces(victim)
    bob.call("(pusher) => pusher.connect()")
    seen("alice", "bob")
    bob_id, events = user_id(server, "bob"), alice.heard(channel)[before:]
    assert [(event, data["id"]) for event, data in events] == [(REMOVED, bob_id), (ADDED, bob_id)]
    users = python_backend(server).users_info(channel)["users"]
    assert [user["id"] for user in users] == [user_id(server, "alice"), bob_id]
