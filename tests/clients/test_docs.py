"""docs/pusher.md: each of its examples is run, as it is but for port, key and secret."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page
from websockets.sync.client import connect as connect_websocket

from tests.clients.client import Node
from tests.clients.conftest import APP
from tests.servers import ROOT, Server, wait_until
from tests.streams import Stream

DOCUMENT = (ROOT / "docs/pusher.md").read_text()
CHANNEL = "private-todo-list.1"


def examples(kind: str, server: Server) -> list[str]:
    """The document's examples of a kind, for a server of the tests'."""
    found = re.findall(rf"^```{kind}\n(.*?)^```", DOCUMENT, re.M | re.S)
    assert found, kind
    for there, here in (
        ("8000", str(server.port)),
        ("only-for-development", APP["PUSHER_SECRET"]),
        ("development", APP["PUSHER_KEY"]),
        ('"1"', f'"{APP["PUSHER_APP_ID"]}"'),
    ):
        found = [code.replace(there, here) for code in found]
    return found


def add(server: Server, text: str) -> None:
    """alice adds an item to the list of the examples."""
    with server.client("alice") as api:
        api.post("/api/todo-items/", json={"todo_list": 1, "text": text}).raise_for_status()


def test_every_example_is_run_by_some_test() -> None:
    kinds = {"js page", "js node", "js server", "js module", "python", "text"}
    assert set(re.findall(r"^```(.+)$", DOCUMENT, re.M)) == kinds


@pytest.mark.parametrize("number", [0, 1])
def test_clients_in_node(
    node: Node, pusher_server: Server, tokens: dict[str, str], number: int
) -> None:
    code = examples("js node", pusher_server)[number]
    started = f"""(token) => {{
        const logged = globalThis.logged = [];
        const console = {{ log: (text) => logged.push(text) }};
        {code}
        const client = typeof echo === "undefined" ? pusher : echo.connector.pusher;
        watch("example", client);
        globalThis.ready = () => client.channel("{CHANNEL}").subscribed;
    }}"""
    node.evaluate(started, tokens["alice"])
    wait_until(lambda: node.evaluate("ready()"), "the subscription")
    add(pusher_server, f"for example {number}")
    wait_until(lambda: node.evaluate("logged") == [f"for example {number}"], "the change")


@pytest.mark.parametrize("kind", ["js page", "js module"])
def test_clients_in_a_page(
    open_page: Callable[..., Page], pusher_server: Server, kind: str
) -> None:
    (code,) = examples(kind, pusher_server)
    page = open_page(pusher_server, "alice")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    name = f"example-{kind[3:]}.js"
    page.route(f"**/clients/{name}", lambda route: route.fulfill(
        body=code, content_type="text/javascript"
    ))  # fmt: skip
    sockets: list[Any] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda f: sockets.append(f)))
    page.add_script_tag(url=f"{pusher_server.url}/clients/{name}", type="module")
    succeeded = "pusher_internal:subscription_succeeded"
    wait_until(lambda: page.evaluate("1") and any(succeeded in f for f in sockets), "it")
    add(pusher_server, kind)
    wait_until(lambda: page.evaluate("1") and kind in said, "the change")


def test_servers(node: Node, pusher_server: Server, tokens: dict[str, str]) -> None:
    with Stream(pusher_server.url, [CHANNEL], token=tokens["alice"]) as stream:
        stream.opened()
        (python,) = examples("python", pusher_server)
        exec(python, {})
        assert stream.change()[1]["data"] == {"text": "Bread"}
        (server,) = examples("js server", pusher_server)
        node.evaluate(f"async () => {{ {server} }}")
        assert stream.change()[1]["data"] == {"text": "Bread"}


def test_the_conversation(pusher_server: Server, tokens: dict[str, str]) -> None:
    (text,) = examples("text", pusher_server)
    lines = [(line[0], line[2:]) for line in text.splitlines()]
    with pusher_server.client("alice") as api:
        answer = api.get("/api/todo-items/?todo_list=1")
        item = answer.json()["results"][0]
        position = re.search('last-event-id="(.+?)"', answer.headers["Link"])[1]
        path = f"/api/todo-items/{item['id']}/"
        headers = {"X-Mutation-ID": "m1"}
        api.patch(path, json={"done": not item["done"]}, headers=headers)
        url = f"ws://127.0.0.1:{pusher_server.port}/app/{APP['PUSHER_KEY']}?protocol=7"
        with connect_websocket(url) as socket:
            socket_id = json.loads(json.loads(socket.recv())["data"])["socket_id"]
            form = {"socket_id": socket_id, "channel_name": CHANNEL}
            auth = api.post("/pusher/auth", data=form).json()["auth"]
            for direction, line in lines:
                line = re.sub(r'"[^"]*6d1f…"', json.dumps(auth), line)
                line = line.replace("8-39617cb4", position).replace("…", "")
                if direction == ">":
                    socket.send(line)
                    continue
                said, shown = json.loads(socket.recv()), re.findall(r'"(\w+)":', line)
                # Who was subscribed before may only just have left.
                while said["event"].endswith("subscription_count") and said["event"] not in line:
                    said = json.loads(socket.recv())
                assert said["event"] in line
                assert [name for name in shown if name in said] == list(said)
                assert said.get("mutation", "m1") == "m1"
