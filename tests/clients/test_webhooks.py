"""Webhooks, as Pusher's library for Python validates them."""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pusher
import pytest

from tests.clients.client import Client, Node, options_for
from tests.clients.conftest import APP, python_backend
from tests.clients.test_presence import pk, share
from tests.servers import DEADLINE, Server


class Receiver:
    """What a webhook's receiver has been told, by requests whose signature is right."""

    def __init__(self) -> None:
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.told: list[dict[str, Any]] = []
        self.library = pusher.Pusher(APP["PUSHER_APP_ID"], APP["PUSHER_KEY"], APP["PUSHER_SECRET"])
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                key, signature = (self.headers[f"X-Pusher-{n}"] for n in ("Key", "Signature"))
                webhook = receiver.library.validate_webhook(key, signature, body)
                for event in webhook["events"] if webhook else [{"name": "forged"}]:
                    receiver.events.put(event)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, **wanted: Any) -> dict[str, Any]:
        """The first event with these members, once it has come."""
        while True:
            for event in self.told:
                if wanted.items() <= event.items():
                    return event
            try:
                self.told.append(self.events.get(timeout=DEADLINE))
            except queue.Empty:
                raise AssertionError(f"no {wanted}; there was {self.told}") from None


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_what_happens_on_channels_is_told_and_signed(
    node: Node, make_server: Callable[..., Server], receiver: Receiver
) -> None:
    server = make_server(**APP, PUSHER_WEBHOOK_URLS=receiver.url)
    channel, alice = share(server), pk(server, "alice")
    client = Client(node, APP["PUSHER_KEY"], options_for(server, server.token("alice")))
    client.subscribed(channel)
    receiver.wait(name="channel_occupied", channel=channel)
    receiver.wait(name="member_added", channel=channel, user_id=alice)
    client.subscribed("cache-a")
    receiver.wait(name="cache_miss", channel="cache-a")
    receiver.wait(name="subscription_count", channel="cache-a", subscription_count=1)
    client.call("(p, name) => p.channel(name).trigger('client-wave', { n: 1 })", channel)
    told = receiver.wait(name="client_event", channel=channel, event="client-wave", user_id=alice)
    assert json.loads(told["data"]) == {"n": 1}
    assert told["socket_id"] == client.connected()
    client.disconnect()
    receiver.wait(name="member_removed", channel=channel, user_id=alice)
    receiver.wait(name="channel_vacated", channel=channel)
    assert {"name": "forged"} not in receiver.told
    assert python_backend(server).channels_info()["channels"] == {}
    server.stop()
