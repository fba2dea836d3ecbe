"""What this project signs is what Pusher's own libraries sign."""

import json

import pusher

from realtime.signatures import App
from tests.clients.client import Node
from tests.clients.conftest import APP

OURS = App(APP["PUSHER_APP_ID"], APP["PUSHER_KEY"], APP["PUSHER_SECRET"])
NPM = """([app, socket, channel, data]) => {
    const server = new PusherServer(app);
    return data
        ? server.authorizeChannel(socket, channel, data)
        : server.authorizeChannel(socket, channel);
}"""


def theirs() -> pusher.Pusher:
    return pusher.Pusher(OURS.id, OURS.key, OURS.secret)


def test_a_private_channel_is_signed_as_the_libraries_do(node: Node) -> None:
    app = {"appId": OURS.id, "key": OURS.key, "secret": OURS.secret}
    signed = OURS.channel_auth("1.2", "private-x")
    assert theirs().authenticate("private-x", "1.2")["auth"] == signed
    assert node.evaluate(NPM, [app, "1.2", "private-x", None])["auth"] == signed


def test_a_presence_channel_is_signed_over_the_exact_text(node: Node) -> None:
    app = {"appId": OURS.id, "key": OURS.key, "secret": OURS.secret}
    member = {"user_id": "7", "user_info": {"name": "Zoë"}}
    python = theirs().authenticate("presence-x", "1.2", member)
    npm = node.evaluate(NPM, [app, "1.2", "presence-x", member])
    assert python["channel_data"] != npm["channel_data"]  # spaces, escapes
    for answer in (python, npm):
        assert json.loads(answer["channel_data"]) == member
        signed = OURS.channel_auth("1.2", "presence-x", answer["channel_data"])
        assert answer["auth"] == signed


def test_a_user_is_signed_in_as_the_libraries_do(node: Node) -> None:
    app = {"appId": OURS.id, "key": OURS.key, "secret": OURS.secret}
    python = theirs().authenticate_user("1.2", {"id": "7"})
    assert python["auth"] == OURS.user_auth("1.2", python["user_data"])
    script = "([app, user]) => new PusherServer(app).authenticateUser('1.2', user)"
    npm = node.evaluate(script, [app, {"id": "7"}])
    assert npm["auth"] == OURS.user_auth("1.2", npm["user_data"])
