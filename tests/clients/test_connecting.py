"""pusher-js connects, is refused, and comes back."""

from collections.abc import Callable

import pusher

from tests.clients.client import SUCCEEDED, Client, Connect, Node, options_for
from tests.clients.conftest import APP, python_backend
from tests.servers import Server, wait_until

STATE = "(pusher) => pusher.connection.state"


def test_a_client_connects_and_is_given_a_name(connect: Connect) -> None:
    client = connect()
    socket_id = client.connected()
    first, second = socket_id.split(".")
    assert first.isdecimal()
    assert second.isdecimal()
    states = [data["current"] for data in client.heard("connection", "state_change")]
    assert states == ["connecting", "connected"]


def test_an_unknown_key_is_told_and_not_tried_again(connect: Connect) -> None:
    client = connect(key="nobody")
    error = client.wait("connection", "error")
    assert error["error"]["data"]["code"] == 4001
    wait_until(lambda: client.call(STATE) == "disconnected", "the client to give up")


def test_a_quiet_connection_is_kept_by_pings(connect: Connect) -> None:
    client = connect(activityTimeout=1000, pongTimeout=5000)
    client.connected()
    pongs = "(pusher) => (pusher.pongs = 0, pusher.connection.bind('message', ({event}) => {"
    client.call(f"{pongs} if (event === 'pusher:pong') pusher.pongs += 1; }}), 0)")
    wait_until(lambda: client.call("(pusher) => pusher.pongs") >= 2, "two pongs")
    assert len(client.heard("connection", "connected")) == 1


def test_after_a_crash_clients_come_back_to_their_channels(
    node: Node, make_server: Callable[..., Server]
) -> None:
    server = make_server(**APP)
    client = Client(node, APP["PUSHER_KEY"], options_for(server))
    before = client.connected()
    client.subscribed("news")
    server.kill()
    wait_until(lambda: client.call(STATE) != "connected", "the client to notice")
    server.start()
    client.wait("news", SUCCEEDED, 2)
    assert client.connected() != before
    python_backend(server).trigger("news", "headline", {"text": "back"})
    assert client.wait("news", "headline") == {"text": "back"}
    server.stop()


def test_a_server_that_stops_sends_its_clients_to_the_next_one(
    node: Node, make_server: Callable[..., Server]
) -> None:
    server = make_server(**APP)
    client = Client(node, APP["PUSHER_KEY"], options_for(server))
    client.connected()
    client.subscribed("news")
    server.stop()
    wait_until(lambda: client.call(STATE) != "connected", "the client to notice")
    assert client.call(STATE) in ("connecting", "unavailable")
    server.start()
    client.wait("news", SUCCEEDED, 2)
    server.stop()


def test_bytes_and_nonsense_do_not_end_a_connection(
    connect: Connect, backend: pusher.Pusher
) -> None:
    client = connect()
    client.connected()
    client.subscribed("news")
    client.call("(pusher) => pusher.connection.connection.transport.send('{nonsense')")
    client.wait("connection", "error")
    backend.trigger("news", "headline", "still here")
    assert client.wait("news", "headline") == "still here"
