"""pusher-js and this project's own client in Chromium."""

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import httpx
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from tests.clients.client import Client, Node, options_for
from tests.clients.conftest import APP, new_list, python_backend
from tests.servers import Server, wait_until

Open = Callable[..., Page]


def by_session(server: Server) -> dict[str, Any]:
    """Options of pusher-js on a page of the server's own: its default endpoints, by cookie."""
    options = options_for(server)
    del options["channelAuthorization"], options["userAuthentication"]
    return options


def test_a_logged_in_page_needs_no_more_than_its_cookie(
    open_page: Open, pusher_server: Server
) -> None:
    page = open_page(pusher_server, "alice")
    client = Client(page, APP["PUSHER_KEY"], by_session(pusher_server))
    number = new_list(pusher_server)
    client.subscribed(f"private-todo-list.{number}")
    client.subscribed(f"presence-todo-list.{number}")
    assert client.members(f"presence-todo-list.{number}")["count"] == 1
    client.call("(pusher) => pusher.signin()")
    wait_until(lambda: client.call("({ user }) => user.user_data?.id ?? null"), "the sign-in")


# Signed by Pusher's library for Node, as by another server that has the secret.
SIGN = """([options, socket, channel]) =>
    new PusherServer(options).authorizeChannel(socket, channel)"""


def test_encrypted_channels_are_read_by_the_clients_only(
    open_page: Open, pusher_server: Server, node: Node
) -> None:
    app = {"appId": APP["PUSHER_APP_ID"], "key": APP["PUSHER_KEY"], "secret": APP["PUSHER_SECRET"]}
    master = {"encryptionMasterKeyBase64": APP["PUSHER_ENCRYPTION_MASTER_KEY"]}
    channel = "private-encrypted-a"

    def sign(route: Route) -> None:
        (socket_id,) = parse_qs(route.request.post_data)["socket_id"]
        route.fulfill(json=node.evaluate(SIGN, [app | master, socket_id, channel]))

    page = open_page(pusher_server, "alice", library="pusher-with-encryption.js")
    page.route("**/pusher/auth", sign)
    client = Client(page, APP["PUSHER_KEY"], by_session(pusher_server))
    client.subscribed(channel)
    python_backend(
        pusher_server, encryption_master_key_base64=APP["PUSHER_ENCRYPTION_MASTER_KEY"]
    ).trigger(channel, "secret", {"text": "for members only"})
    assert client.wait(channel, "secret") == {"text": "for members only"}
    rows = pusher_server.query(f"SELECT data FROM realtime_event WHERE channel = '{channel}'")
    assert "ciphertext" in rows[0][0]
    assert "members" not in rows[0][0]


# This project's own client

OPEN = """async ([key, list]) => {
    const { Realtime } = await import("/static/realtime/realtime.js");
    const client = new Realtime({ base: "/api/", transport: "websocket", websocket: { key } });
    const items = client.collection("todo-items", { params: { todo_list: list, ordering: "id" } });
    Object.assign(globalThis, { client, items, heard: [], resets: [] });
    client.onMessage(({ id, mutation }) => heard.push([id, mutation ?? ""]));
    client.onReset((reset) => resets.push(reset));
    await items.subscribe();
    await client.ready;
}"""
TEXTS = "items.items.map(({ text }) => text)"


class Writer(threading.Thread):
    """Adds items to a list, fifty in a second at most, until it is told to stop."""

    def __init__(self, api: httpx.Client, todo_list: int) -> None:
        super().__init__(daemon=True)
        self.api, self.todo_list = api, todo_list
        self.over = threading.Event()
        self.count = 0

    def run(self) -> None:
        while not self.over.wait(0.02):
            self.write()

    def write(self) -> None:
        """Adds an item; while there is no server, that has no effect, or an unknown one."""
        body = {"todo_list": self.todo_list, "text": f"change {self.count}"}
        with suppress(httpx.TransportError):
            self.api.post("/api/todo-items/", json=body).raise_for_status()
            self.count += 1

    def stop(self) -> None:
        self.over.set()
        self.join()


def logged(server: Server, todo_list: int, column: str = "data") -> list[str]:
    """What the log has on a list's channel, in order: ids on the wire, or another column."""
    what = "CAST(seq AS TEXT) || '-' || nonce" if column == "id" else column
    statement = f"SELECT {what} FROM realtime_event WHERE channel = 'private-todo-list.{todo_list}'"
    return [row[0] for row in server.query(f"{statement} AND type LIKE 'todo-item%' ORDER BY seq")]


def test_the_transport_changes_while_others_write(open_page: Open, pusher_server: Server) -> None:
    number = new_list(pusher_server)
    page = open_page(pusher_server, "alice")
    page.evaluate(OPEN, [APP["PUSHER_KEY"], number])
    assert page.evaluate("client.transport") == "websocket"
    with pusher_server.client("alice") as api:
        writer = Writer(api, number)
        writer.start()
        for transport in ("sse", "websocket") * 3:
            page.evaluate("(transport) => client.use(transport)", transport)
            wait_until(lambda: page.evaluate("client.transport") == transport, "it")  # noqa: B023
        writer.stop()
    wait_until(lambda: None not in logged(pusher_server, number, "id"), "all to be numbered")
    ids = logged(pusher_server, number, "id")
    wait_until(lambda: len(page.evaluate("heard")) >= len(ids), "the last change")
    assert [entry[0] for entry in page.evaluate("heard")] == ids
    assert page.evaluate("resets") == []
    wait_until(lambda: len(page.evaluate(TEXTS)) == len(ids), "all items to be shown")


def test_a_page_resumes_by_websocket_after_a_crash(open_page: Open, mortal_server: Server) -> None:
    server = mortal_server
    number = new_list(server)
    page = open_page(server, "alice")
    sent: list[str] = []
    page.on("websocket", lambda ws: ws.on("framesent", lambda frame: sent.append(frame)))
    page.evaluate(OPEN, [APP["PUSHER_KEY"], number])
    page.evaluate("(todo_list) => items.create({ todo_list, text: 'mine' })", number)
    wait_until(lambda: page.evaluate("heard.length") == 1, "the own change")
    assert page.evaluate("client.http.mutations.has(heard[0][1])")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    server.kill()
    server.shell(
        "from todos.models import TodoItem\n"
        f"for n in range(5): TodoItem.objects.create(todo_list_id={number}, text=n)"
    )
    server.start()
    texts = ["mine", *map(str, range(5))]
    wait_until(lambda: page.evaluate(TEXTS) == texts, "what was missed")
    assert [entry[0] for entry in page.evaluate("heard")] == logged(server, number, "id")
    assert not [url for url in asked if "todo-items" in url]
    assert any("last_event_id" in frame for frame in sent)


def test_where_websockets_are_blocked_the_todo_page_is_live_all_the_same(
    open_page: Open, pusher_server: Server
) -> None:
    number = new_list(pusher_server)
    page = open_page(pusher_server, "alice")

    def block(route: WebSocketRoute) -> None:
        route.close(code=1008)

    page.route_web_socket("**/app/**", block)
    page.goto(f"{pusher_server.url}/?list={number}&transport=websocket")
    expect(page.locator(".status").first).to_have_attribute("data-state", "open")
    with pusher_server.client("alice") as api:
        api.post("/api/todo-items/", json={"todo_list": number, "text": "Milk"})
    expect(page.locator(".item .text")).to_have_text(["Milk"])


def test_the_todo_page_works_by_websocket(open_page: Open, pusher_server: Server) -> None:
    number = new_list(pusher_server, "bob")
    pages = [open_page(pusher_server, name) for name in ("alice", "bob")]
    streams: list[str] = []
    for page in pages:
        page.on("request", lambda request: streams.append(request.url))
        page.goto(f"{pusher_server.url}/?list={number}&transport=websocket")
        expect(page.locator(".status").first).to_have_attribute("data-state", "open")
        expect(page.locator("#items")).to_have_attribute("aria-busy", "false")
    alice, bob = pages
    for text in ("Bread", "Milk"):
        alice.fill("#add-text", text)
        alice.press("#add-text", "Enter")
    expect(bob.locator(".item .text")).to_have_text(["Bread", "Milk"])
    bob.get_by_role("checkbox", name="Milk").check()
    expect(alice.get_by_role("checkbox", name="Milk")).to_be_checked()
    expect(bob.locator(".item.pending")).to_have_count(0)
    accept = "text/event-stream"
    assert not [url for url in streams if "/api/events/" in url and accept in url]
    # A right that ends is told by WebSocket too.
    with pusher_server.client("alice") as api:
        api.delete(f"/api/todo-lists/{number}/members/bob/").raise_for_status()
    expect(bob.locator("#panel-notice")).to_contain_text("no longer")


# The acceptance: two pages, two transports, one truth

PUSHER_PAGE = """([key, options, list]) => {
    const shown = globalThis.shown = [];
    const known = new Set();
    const show = ({ id, text }) => known.has(id) || (known.add(id), shown.push(text));
    const pusher = new Pusher(key, options);
    const channel = pusher.subscribe(`private-todo-list.${list}`);
    // As Pusher tells its users: what was missed while there was no connection is fetched.
    let fetched = Promise.resolve();
    const refetch = async (url = `/api/todo-items/?todo_list=${list}&ordering=id&limit=500`) => {
        const answer = await fetch(url).catch(() => null);
        if (!answer?.ok) {
            return new Promise((again) => setTimeout(again, 50)).then(() => refetch(url));
        }
        const { results, next } = await answer.json();
        results.forEach(show);
        if (next) await refetch(next);
    };
    channel.bind("pusher:subscription_succeeded", () => {
        fetched = fetched.then(() => refetch());
    });
    channel.bind("todo-item.created", (item) => { fetched = fetched.then(() => show(item)); });
    globalThis.ready = () => channel.subscribed;
    globalThis.connections = 0;
    pusher.connection.bind("connected", () => { connections += 1; });
}"""
EVENTSOURCE_PAGE = """(list) => {
    const shown = globalThis.shown = [];
    const source = new EventSource(`/api/events/?channel=private-todo-list.${list}`);
    globalThis.connections = 0;
    source.addEventListener("stream-open", () => { connections += 1; });
    source.addEventListener("stream-reset", () => shown.push("reset"));
    source.addEventListener("todo-item.created", (event) => {
        shown.push(JSON.parse(event.data).data.text);
    });
    globalThis.ready = () => connections > 0;
}"""


def test_pages_on_pusher_and_eventsource_show_the_same_while_workers_die(
    open_page: Open, mortal_server: Server
) -> None:
    server = mortal_server
    number = new_list(server)
    pages = [open_page(server, "alice"), open_page(server, "alice")]
    pages[0].evaluate(PUSHER_PAGE, [APP["PUSHER_KEY"], by_session(server), number])
    pages[1].evaluate(EVENTSOURCE_PAGE, number)
    for page in pages:
        wait_until(lambda: page.evaluate("ready()"), "the page to be live")  # noqa: B023
    with server.client("alice") as api:
        writer = Writer(api, number)
        writer.start()
        for _ in range(2):
            for pid in server.workers:
                os.kill(pid, signal.SIGKILL)
                before = writer.count
                wait_until(lambda: writer.count > before + 3, "more changes")  # noqa: B023
        server.kill()
        server.start()
        before = writer.count
        for page in pages:
            wait_until(lambda: len(page.evaluate("shown")) > before, "the page to be back")  # noqa: B023
        server.stop()
        server.start()
        wait_until(lambda: writer.count > before + 6, "more changes")
        writer.stop()
    there = server.query(
        f"SELECT text FROM todos_todoitem WHERE todo_list_id = {number} ORDER BY id"
    )
    texts = [row[0] for row in there]
    for page in pages:
        wait_until(lambda: len(page.evaluate("shown")) >= len(texts), "all")  # noqa: B023
        assert page.evaluate("shown") == texts
        assert page.evaluate("connections") >= 3
