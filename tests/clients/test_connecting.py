"""pusher-js connects, is refused, and comes back."""

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
    assert states == ["connected"]


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


def test_clients_come_back_to_their_channels_after_a_crash_as_after_a_stop(
    node: Node, mortal_server: Server
) -> None:
    server = mortal_server
    client = Client(node, APP["PUSHER_KEY"], options_for(server))
    names = {client.connected()}
    client.subscribed("news")
    for count, end in enumerate((server.kill, server.stop), start=1):
        end()
        wait_until(lambda: client.call(STATE) in ("connecting", "unavailable"), "the end")
        server.start()
        client.wait("news", SUCCEEDED, count + 1)
        names.add(client.connected())
        python_backend(server).trigger("news", "headline", count)
        assert client.wait("news", "headline", count) == count
    assert len(names) == 3


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
