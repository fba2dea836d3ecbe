"""A server that webhooks are sent to; the `pusher` library decides whether it believes them."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pusher
import pytest

from tests.ports import wait_until


class Hook:
    """Answers with the next of its `statuses`, then with 200, and keeps what it was told."""

    def __init__(self, app: Any, port: int = 0) -> None:
        client = pusher.Pusher(app_id=app.id, key=app.key, secret=app.secret, host="localhost")
        self.statuses: list[int] = []
        self.answering = threading.Event()
        self.answering.set()
        self.asked = 0
        self.bodies: list[bytes] = []
        self.told: list[dict[str, Any]] = []
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                assert self.headers["Content-Type"] == "application/json"
                hook.asked += 1
                hook.answering.wait()
                key, sign = self.headers["X-Pusher-Key"], self.headers["X-Pusher-Signature"]
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    told = client.validate_webhook(key, sign, body.decode())
                    hook.bodies.append(body)
                    hook.told += told["events"] if told else [{"name": "NOT VALID"}]
                self.send_response(status)
                self.send_header("Location", hook.url)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                # To where redirects lead: a receiver is told nothing there.
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?token=1"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, *events: dict[str, Any]) -> None:
        """Waits until it was told these events, in this order, and nothing else."""
        wait_until(lambda: len(self.told) >= len(events), f"{len(events)} events; {self.told}")
        assert self.told == list(events)

    def close(self) -> None:
        """Listens no more."""
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def make_hook() -> Iterator[Callable[..., Hook]]:
    """Starts receivers for an application's webhooks."""
    hooks: list[Hook] = []

    def make(app: Any, port: int = 0) -> Hook:
        hooks.append(Hook(app, port))
        return hooks[-1]

    yield make
    for hook in hooks:
        hook.close()
