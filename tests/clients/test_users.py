"""Signing in: a user's own events, being sent away, and who is online."""

from typing import Any

import pusher
import pytest

from tests.clients.client import Client, Connect
from tests.clients.conftest import APP, user_id
from tests.servers import Server, wait_until

# As a backend of somebody else's does, which has the secret.
SIGNED_ELSEWHERE = """(key, { app, signs, ...options }) => new Pusher(key, { ...options,
    userAuthentication: { customHandler: ({ socketId }, answer) =>
        answer(null, new PusherServer(app).authenticateUser(socketId, signs)) } })"""


def foreign(user: dict[str, Any]) -> dict[str, Any]:
    """Options of a client that signs in as `user` by `SIGNED_ELSEWHERE`."""
    app = {"appId": APP["PUSHER_APP_ID"], "key": APP["PUSHER_KEY"], "secret": APP["PUSHER_SECRET"]}
    return {"how": SIGNED_ELSEWHERE, "app": app, "signs": user}


def sign_in(client: Client) -> None:
    """Signs in, and waits until the client has its own channel."""
    client.connected()
    client.call("(pusher) => pusher.signin()")
    state = "(pusher) => pusher.user.serverToUserChannel?.subscribed ?? false"
    wait_until(lambda: client.call(state), "the user's own channel")


@pytest.fixture
def alice_id(pusher_server: Server) -> str:
    return user_id(pusher_server, "alice")


def test_a_user_gets_their_own_events_on_every_connection(
    connect: Connect, backend: pusher.Pusher, alice_id: str
) -> None:
    tabs = [connect("alice"), connect("alice")]
    other = connect("bob")
    for client in (*tabs, other):
        sign_in(client)
    backend.send_to_user(alice_id, "greeting", {"text": "hello"})
    for tab in tabs:
        assert tab.wait("user", "greeting") == {"text": "hello"}
    assert tabs[0].call("(pusher) => pusher.user.user_data.id") == alice_id
    assert other.heard("user", "greeting") == []


def test_a_users_channel_is_for_that_user(connect: Connect, alice_id: str) -> None:
    client = connect("bob")
    sign_in(client)
    # pusher-js itself would not ask for it.
    client.call(
        """(pusher, channel) => {
            pusher.connection.bind("message", (frame) => {
                if (frame.channel === channel) pusher.answer = frame;
            });
            pusher.connection.send_event("pusher:subscribe", { channel, auth: "" });
        }""",
        f"#server-to-user-{alice_id}",
    )
    answer = wait_until(lambda: client.call("({ answer }) => answer ?? null"), "an answer")
    assert (answer["event"], answer["data"]["status"]) == ("pusher:subscription_error", 401)


def test_who_is_not_logged_in_can_not_sign_in(connect: Connect) -> None:
    client = connect()
    client.connected()
    client.call("(pusher) => pusher.signin()")
    client.subscribed("public-i")
    assert client.call("(pusher) => pusher.user.user_data ?? null") is None


def test_a_users_connections_are_ended_for_good(
    connect: Connect, backend: pusher.Pusher, alice_id: str
) -> None:
    client, other = connect("alice"), connect("bob")
    for one in (client, other):
        sign_in(one)
    backend.terminate_user_connections(alice_id)
    state = "(pusher) => pusher.connection.state"
    wait_until(lambda: client.call(state) == "disconnected", "alice's connection to end")
    assert other.call(state) == "connected"


def test_who_is_looked_out_for_is_told_to_be_online(connect: Connect) -> None:
    watcher = connect(**foreign({"id": "watcher", "watchlist": ["watched"]}))
    sign_in(watcher)
    watched = connect(**foreign({"id": "watched"}))
    sign_in(watched)
    assert watcher.wait("watchlist", "online") == {"name": "online", "user_ids": ["watched"]}
    watched.disconnect()
    assert watcher.wait("watchlist", "offline") == {"name": "offline", "user_ids": ["watched"]}


def test_a_watchlist_has_a_limit(connect: Connect) -> None:
    client = connect(**foreign({"id": "watcher", "watchlist": [str(n) for n in range(101)]}))
    client.connected()
    client.call("(pusher) => pusher.signin()")
    assert client.wait("connection", "error")["data"]["code"] == 4302
