"""What webhooks tell of Pusher's clients."""

import json
from typing import Any

from tests.clients.client import Client, Node, options_for
from tests.clients.conftest import APP, new_list, python_backend, user_id
from tests.hooks import Hook
from tests.servers import Server, wait_until


def test_webhooks_say_what_clients_do(node: Node, mortal_server: Server, hook: Hook) -> None:
    server = mortal_server
    channel, alice = f"presence-todo-list.{new_list(server)}", user_id(server, "alice")
    here, member = {"channel": channel}, {"channel": channel, "user_id": alice}

    def told(**wanted: Any) -> dict[str, Any]:
        found = [one for one in hook.told if wanted.items() <= one.items()]
        return found[0] if found else {}

    client = Client(node, APP["PUSHER_KEY"], options_for(server, server.token("alice")))
    client.subscribed(channel)
    client.subscribed("cache-a")
    client.call("(p, name) => p.channel(name).trigger('client-wave', { n: 1 })", channel)
    socket_id = client.connected()
    wait_until(lambda: told(name="client_event", **member), "the client event")
    client.disconnect()
    for expected in (
        {"name": "channel_occupied", **here},
        {"name": "member_added", **member},
        {"name": "cache_miss", "channel": "cache-a"},
        {"name": "subscription_count", "channel": "cache-a", "subscription_count": 1},
        {"name": "member_removed", **member},
        {"name": "channel_vacated", **here},
    ):
        wait_until(lambda: told(**expected) == expected, str(expected))  # noqa: B023
    event = told(name="client_event")
    assert (event["event"], event["socket_id"]) == ("client-wave", socket_id)
    assert json.loads(event["data"]) == {"n": 1}
    assert channel not in python_backend(server).channels_info()["channels"]
