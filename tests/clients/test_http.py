"""Servers send events and ask who is there by Pusher's own libraries, for Python and for Node."""

import json
from typing import Any

import pusher
import pytest
from pusher.errors import PusherBadAuth, PusherBadRequest

from realtime.signatures import App
from tests.clients.client import Node
from tests.clients.conftest import APP
from tests.hooks import Hook
from tests.servers import Server, wait_until
from tests.streams import Stream

OURS = App(APP["PUSHER_APP_ID"], APP["PUSHER_KEY"], APP["PUSHER_SECRET"])
LIST, ALICE = "private-todo-list.1", "private-user.1"


class Npm:
    """Pusher's library for Node, for a server."""

    def __init__(self, node: Node, server: Server, **options: Any) -> None:
        self._node = node
        self._options = {
            "appId": APP["PUSHER_APP_ID"],
            "key": APP["PUSHER_KEY"],
            "secret": APP["PUSHER_SECRET"],
            "host": "127.0.0.1",
            "port": str(server.port),
            "useTLS": False,
            **options,
        }

    def call(self, method: str, *arguments: Any) -> Any:
        """The answer's status and JSON; that of a GET or of a POST."""
        script = """async ([options, method, args]) => {
            try {
                const answer = await new PusherServer(options)[method](...args);
                return [answer.status, await answer.json()];
            } catch (error) {
                return [error.status, JSON.parse(error.body)];
            }
        }"""
        return self._node.evaluate(script, [self._options, method, list(arguments)])


@pytest.fixture
def npm(node: Node, pusher_server: Server) -> Npm:
    return Npm(node, pusher_server)


@pytest.fixture
def stream(pusher_server: Server, tokens: dict[str, str]) -> Any:
    """Alice's stream of a list, by Server-Sent Events."""
    with Stream(pusher_server.url, [LIST], token=tokens["alice"]) as stream:
        stream.opened()
        yield stream


def updated(stream: Stream) -> Any:
    events = stream.until(lambda event: event.event == "updated")
    return json.loads(events[-1].data)


def test_the_talks_trigger_reaches_a_stream_and_is_resumed_over(
    backend: pusher.Pusher, stream: Stream, pusher_server: Server, tokens: dict[str, str]
) -> None:
    before, data = stream.last_event_id, {"id": 1, "text": "Br\u00f6t", "done": True}
    assert backend.trigger([LIST, ALICE], "updated", data) == {}
    assert updated(stream) == {"channel": LIST, "data": data}
    token = tokens["alice"]
    with Stream(pusher_server.url, [ALICE], token=token, last_event_id=before) as resumed:
        assert updated(resumed) == {"channel": ALICE, "data": data}


def test_node_triggers_too(npm: Npm, stream: Stream) -> None:
    assert npm.call("trigger", [LIST], "updated", {"n": "\u00e9"}) == [200, {}]
    assert updated(stream)["data"] == {"n": "\u00e9"}
    assert npm.call("trigger", LIST, "updated", "no JSON", {"socket_id": "1.2"}) == [200, {}]
    assert updated(stream)["data"] == "no JSON"
    batch = [{"channel": LIST, "name": "updated", "data": {"n": n}} for n in range(3)]
    assert npm.call("triggerBatch", batch) == [200, {}]
    assert [updated(stream)["data"]["n"] for _ in range(3)] == [0, 1, 2]
    assert npm.call("sendToUser", "1", "updated", {}) == [200, {}]
    assert npm.call("terminateUserConnections", "x@y") == [200, {}]


def test_streams_are_subscriptions(
    backend: pusher.Pusher,
    npm: Npm,
    stream: Stream,
    pusher_server: Server,
    tokens: dict[str, str],
) -> None:
    info = ["subscription_count"]

    def count() -> int:
        return int(backend.channel_info(LIST, info)["subscription_count"])

    wait_until(count, "the stream to be counted")
    before = count()
    with Stream(pusher_server.url, [LIST], token=tokens["alice"]) as another:
        another.opened()
        wait_until(lambda: count() == before + 1, "another stream to be counted")
        params = {"filter_by_prefix": "private-todo-", "info": info[0]}
        status, answer = npm.call("get", {"path": "/channels", "params": params})
        assert (status, answer["channels"][LIST]) == (200, {info[0]: before + 1})
        body = {"name": "updated", "channel": LIST, "data": "", "info": info[0]}
        answer = npm.call("post", {"path": "/events", "body": body})
        assert answer == [200, {"channels": {LIST: {info[0]: before + 1}}}]
    assert backend.channels_info("presence-none")["channels"] == {}
    assert npm.call("get", {"path": "/channels/presence-x/users"}) == [200, {"users": []}]


def test_who_lacks_the_secret_is_refused(node: Node, pusher_server: Server) -> None:
    place = {"host": "127.0.0.1", "port": pusher_server.port, "ssl": False}
    wrong = pusher.Pusher(OURS.id, OURS.key, "x", **place)
    with pytest.raises(PusherBadAuth, match="auth_signature"):
        wrong.trigger("a", "b", {})
    status, answer = Npm(node, pusher_server, secret="x").call("trigger", "a", "b", {})
    assert (status, list(answer)) == (401, ["detail"])


def test_what_is_wrong_is_said(backend: pusher.Pusher, npm: Npm) -> None:
    with pytest.raises(PusherBadRequest, match="belongs to the protocol"):
        backend.trigger("a", "pusher:b", {})
    assert npm.call("trigger", "a", "b", "x" * 10241)[0] == 413
    assert npm.call("get", {"path": "/channels/a/users"})[0] == 400


def test_webhooks_say_what_happens_on_channels(make_server: Any, make_hook: Any) -> None:
    hook = make_hook(OURS)
    server = make_server(**APP, PUSHER_WEBHOOK_URLS=hook.url)
    occupied, vacated = (
        {"name": f"channel_{what}", "channel": LIST} for what in ("occupied", "vacated")
    )
    with Stream(server.url, [LIST], token=server.token()) as stream:
        stream.opened()
        wait_until(lambda: occupied in hook.told, "the channel to be occupied")
        assert vacated not in hook.told
    wait_until(lambda: vacated in hook.told, "the channel to be vacated")
    counts = [one for one in hook.told if one["name"] == "subscription_count"]
    assert [one["subscription_count"] for one in counts] == [1, 0]
    server.stop()


def test_a_server_that_ends_says_what_it_has_yet_to_say(make_server: Any, make_hook: Any) -> None:
    hook: Hook = make_hook(OURS)
    server = make_server(**APP, PUSHER_WEBHOOK_URLS=hook.url)
    hook.statuses = [500] * 1000
    with Stream(server.url, [LIST], token=server.token()) as stream:
        stream.opened()
        # The next attempt is more than a second away.
        wait_until(lambda: hook.asked >= 3, "three attempts")
        hook.statuses = []
        server.stop()
    assert {"name": "channel_occupied", "channel": LIST} in hook.told


def test_a_command_that_ends_says_what_it_has_to_say(make_server: Any, make_hook: Any) -> None:
    hook: Hook = make_hook(OURS)
    server = make_server(**APP, PUSHER_WEBHOOK_URLS=hook.url)
    server.shell("from realtime import webhooks; webhooks.notify('channel_occupied', channel='a')")
    assert hook.told == [{"name": "channel_occupied", "channel": "a"}]
    server.stop()
