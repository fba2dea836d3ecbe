"""Pusher's protocol in Node."""

import json

from benchmarks.peers.base import CHANNEL, Process, stamp
from benchmarks.peers.environment import NODE, missing_program
from benchmarks.peers.pusher import APP, handshake, signed, socket_id, subscribe


class Node(Process):
    """``node/server.mjs``."""

    name = "Node, WebSocket"
    note = "Pusher's protocol by the `ws` package, as Soketi has it; signed channels, no log"
    ready = "subscription_succeeded"
    comes_back = False

    @classmethod
    def missing(cls) -> str:
        if missing := missing_program("node"):
            return missing
        return "" if (NODE / "node_modules" / "ws").exists() else "the package ws is not installed"

    def command(self) -> list[str]:
        return ["node", str(NODE / "server.mjs"), str(self.port), APP.key, APP.secret]

    def requests(self) -> list[bytes]:
        return [handshake()]

    def answer(self, message: str) -> str:
        if not (found := socket_id(message)):
            return ""
        return subscribe(CHANNEL, APP.channel_auth(found, CHANNEL))

    def publish(self) -> None:
        event = {"name": "note", "channel": CHANNEL, "data": json.dumps(stamp())}
        path, body = signed("events", event)
        self.post(path, body, **{"Content-Type": "application/json"})
