"""One server for all of Pusher's clients, one Node, one Chromium."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pusher
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route
from pusher.requests import RequestsBackend

from realtime.signatures import App
from tests.clients.client import (
    HERE,
    MODULES,
    NODE,
    PUSHER_JS,
    Client,
    Connect,
    Node,
    options_for,
)
from tests.hooks import Hook
from tests.servers import Server

APP = {
    "PUSHER_APP_ID": "3",
    "PUSHER_KEY": "278d425bdf160c739803",
    "PUSHER_SECRET": "7ad3773142a6692b25b8",
    "REALTIME_PUBLIC_CHANNELS": "*",
    "PUSHER_ENCRYPTION_MASTER_KEY": base64.b64encode(b"thirty-two bytes for these tests").decode(),
}
SCRIPTS = {
    "pusher.js": MODULES / "pusher-js/dist/web/pusher.js",
    "pusher-with-encryption.js": MODULES / "pusher-js/dist/web/pusher-with-encryption.js",
    "echo.js": MODULES / "laravel-echo/dist/echo.iife.js",
    "watch.js": HERE / "watch.js",
}
"""Served to pages of the tests' own, below ``/clients/``."""


@pytest.fixture(autouse=True)
def _close_sessions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Closes the connections of Pusher's library for Python, which does not do so itself."""
    sessions: list[Any] = []
    init = RequestsBackend.__init__

    def remember(backend: RequestsBackend, *arguments: Any, **options: Any) -> None:
        init(backend, *arguments, **options)
        sessions.append(backend.session)

    monkeypatch.setattr(RequestsBackend, "__init__", remember)
    yield
    for session in sessions:
        session.close()


def needs_node() -> None:
    """Skips where Node or its packages are missing."""
    if NODE is None or not MODULES.exists():
        pytest.skip("Node and the packages of tests/clients are not installed")


@pytest.fixture(scope="session")
def pusher_server(make_shared_server: Callable[..., Server]) -> Server:
    """A server with an app, which many tests share: none may stop it."""
    return make_shared_server(**APP, REALTIME_KEEP_ALIVE="1", REALTIME_MAX_STREAMS_PER_USER="500")


@pytest.fixture(scope="session")
def hook() -> Iterator[Hook]:
    """Who is told by the webhooks of `mortal_server`."""
    made = Hook(App(*(APP[f"PUSHER_{name}"] for name in ("APP_ID", "KEY", "SECRET"))))
    yield made
    made.close()


@pytest.fixture(scope="session")
def mortal_server(make_shared_server: Callable[..., Server], hook: Hook) -> Server:
    """A server with two workers, which tests may kill, and have to leave running."""
    return make_shared_server(
        **APP,
        WEB_CONCURRENCY="2",
        PUSHER_WEBHOOK_URLS=hook.url,
        REALTIME_MAX_STREAMS_PER_USER="500",
    )


@pytest.fixture(scope="session")
def tokens(pusher_server: Server) -> dict[str, str]:
    """API tokens of the demo's users."""
    return {name: pusher_server.token(name) for name in ("alice", "bob")}


@pytest.fixture(scope="session")
def _node() -> Iterator[Node]:
    needs_node()
    process = Node()
    yield process
    process.close()


@pytest.fixture
def node(_node: Node) -> Iterator[Node]:
    """A Node process; clients that are left in it are disconnected after the test."""
    yield _node
    _node.evaluate("disconnectAll()")


@pytest.fixture
def connect(node: Node, pusher_server: Server, tokens: dict[str, str]) -> Connect:
    """Connects a pusher-js client in Node, perhaps as a user."""

    def make(
        user: str = "", key: str = APP["PUSHER_KEY"], how: str = PUSHER_JS, **options: Any
    ) -> Client:
        return Client(node, key, options_for(pusher_server, tokens.get(user, ""), **options), how)

    return make


@pytest.fixture(scope="module")
def browser(browser: Browser) -> Browser:
    """Headless Chromium, where there is what it is to load."""
    needs_node()
    return browser


def serve_clients(context: BrowserContext) -> None:
    """Lets the pages of a context load the clients, from ``/clients/`` of whatever origin."""

    def fulfill(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        route.fulfill(path=SCRIPTS.get(name, Path(HERE / name)), content_type="text/javascript")

    context.route("**/clients/*.js", fulfill)


@pytest.fixture(scope="session")
def sessions() -> dict[tuple[str, str], Any]:
    """Cookies by server and user, so that a password is hashed only once for many tests."""
    return {}


@pytest.fixture
def open_page(
    browser: Browser, sessions: dict[tuple[str, str], Any]
) -> Iterator[Callable[..., Page]]:
    """Opens a page of a server, as somebody logged in, that has pusher-js as `Pusher`."""
    contexts: list[BrowserContext] = []

    def make(server: Server, username: str, library: str = "pusher.js") -> Page:
        who = server.url, username
        context = browser.new_context(storage_state=sessions.get(who))
        contexts.append(context)
        serve_clients(context)
        page = context.new_page()
        page.goto(f"{server.url}/accounts/login/")
        if who not in sessions:
            page.fill("input[name=username]", username)
            page.fill("input[name=password]", "realtime")
            page.click("button[type=submit]")
            page.wait_for_url(f"{server.url}/")
            sessions[who] = context.storage_state()
        for name in (library, "watch.js"):
            page.add_script_tag(url=f"{server.url}/clients/{name}")
        return page

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def backend(pusher_server: Server) -> pusher.Pusher:
    """Pusher's library for Python, for the tests' server."""
    return python_backend(pusher_server)


def python_backend(server: Server, **options: Any) -> pusher.Pusher:
    """Pusher's library for Python, pointed at a server."""
    return pusher.Pusher(
        app_id=APP["PUSHER_APP_ID"],
        key=APP["PUSHER_KEY"],
        secret=APP["PUSHER_SECRET"],
        host="127.0.0.1",
        port=server.port,
        ssl=False,
        **options,
    )


def new_list(server: Server, *shared_with: str) -> int:
    """A list of alice's, shared with others; its id."""
    with server.client("alice") as alice:
        made = alice.post("/api/todo-lists/", json={"name": "x"}).json()
        for username in shared_with:
            path = f"/api/todo-lists/{made['id']}/members/"
            alice.post(path, json={"username": username}).raise_for_status()
    return int(made["id"])


def user_id(server: Server, username: str) -> str:
    """What a user is called in Pusher's protocol."""
    (row,) = server.query(f"SELECT id FROM auth_user WHERE username = '{username}'")
    return str(row[0])
