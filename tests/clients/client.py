"""Pusher's own clients, unmodified, in a Node process or in Chromium, driven from here."""

import itertools
import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tests.servers import DEADLINE, Server, wait_until

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
NODE = shutil.which("node")
_names = map("client{}".format, itertools.count())


class Place(Protocol):
    """Where clients run: a `Node`, or a page of Playwright's."""

    def evaluate(self, script: str, argument: Any = None, /) -> Any:
        """The value of an expression, or of a function of `argument`; promises are awaited."""


class Node:
    """A Node process that has ``Pusher`` (pusher-js), ``Echo`` and ``PusherServer`` (pusher)."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self._process = subprocess.Popen(
            [str(NODE), str(HERE / "driver.mjs")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=HERE,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()
        self._answers.get(timeout=DEADLINE)

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            # What a library prints is no answer.
            if line.startswith('{"id":'):
                self._answers.put(json.loads(line))

    def evaluate(self, script: str, argument: Any = None) -> Any:
        """As `Place.evaluate`; raises `AssertionError` with the script's error."""
        number = next(self._ids)
        assert self._process.stdin
        self._process.stdin.write(
            json.dumps({"id": number, "script": script, "argument": argument}) + "\n"
        )
        self._process.stdin.flush()
        answer = self._answers.get(timeout=DEADLINE)
        while answer["id"] != number:
            answer = self._answers.get(timeout=DEADLINE)
        if "error" in answer:
            raise AssertionError(answer["error"])
        return answer.get("value")

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()


PUSHER_JS = "(key, options) => new Pusher(key, options)"


class Client:
    """A pusher-js client, and what its callbacks have said."""

    def __init__(
        self, place: Place, key: str, options: dict[str, Any], make: str = PUSHER_JS
    ) -> None:
        """`make` is a function of key and options that answers the pusher-js object."""
        self.place = place
        self.name = next(_names)
        self.place.evaluate(
            f"([name, key, options]) => watch(name, ({make})(key, options))",
            [self.name, key, options],
        )

    def call(self, script: str, argument: Any = None) -> Any:
        """Evaluates `script`, a function of the pusher-js object and `argument`."""
        return self.place.evaluate(
            f"([name, argument]) => ({script})(client(name).pusher, argument)",
            [self.name, argument],
        )

    def subscribe(self, channel: str) -> None:
        """Subscribes, and from now on notes what the channel's callbacks say."""
        self.place.evaluate(
            "([name, channel]) => void client(name).subscribe(channel)", [self.name, channel]
        )

    def heard(self, where: str, event: str | None = None) -> list[Any]:
        """The data of all callbacks for `event` so far; without it ``[event, data]`` of each.

        `where` is a channel, or "connection", "user" or "watchlist"."""
        found = self.place.evaluate("(name) => client(name).heard", self.name)
        entries = [entry[1:] for entry in found if entry[0] == where]
        return entries if event is None else [data for name, data in entries if name == event]

    def wait(self, where: str, event: str, count: int = 1) -> Any:
        """The data of the first (or `count`-th) callback for `event`, once it has come."""

        def enough() -> list[Any]:
            data = self.heard(where, event)
            return data if len(data) >= count else []

        try:
            return wait_until(enough, f"{event} of {where}")[count - 1]
        except AssertionError as error:
            everything = self.place.evaluate("(name) => client(name).heard", self.name)
            raise AssertionError(f"{error}; there was {everything}") from None

    def connected(self) -> str:
        """Waits for the connection; its socket id."""
        wait_until(
            lambda: self.call("(pusher) => pusher.connection.state") == "connected",
            "the client to connect",
        )
        return str(self.call("(pusher) => pusher.connection.socket_id"))

    def subscribed(self, channel: str) -> Any:
        """Subscribes, and waits until it is done; what came with the success."""
        before = len(self.heard(channel, SUCCEEDED))
        self.subscribe(channel)
        return self.wait(channel, SUCCEEDED, before + 1)

    def members(self, channel: str) -> dict[str, Any]:
        """``{"me": id, "count": n, "all": {id: info}}`` of a presence channel."""
        members: dict[str, Any] = self.place.evaluate(
            "([name, channel]) => client(name).members(channel)", [self.name, channel]
        )
        return members

    def disconnect(self) -> None:
        """Leaves as a page does that is closed."""
        self.call("(pusher) => pusher.disconnect()")


SUCCEEDED = "pusher:subscription_succeeded"
FAILED = "pusher:subscription_error"


def options_for(server: Server, token: str = "", **more: Any) -> dict[str, Any]:
    """The options with which pusher-js talks to `server`, perhaps as the user of a token."""
    auth = {"transport": "ajax", "headers": {"Authorization": f"Token {token}"} if token else {}}
    return {
        "cluster": "",
        "wsHost": "127.0.0.1",
        "wsPort": server.port,
        "wssPort": server.port,
        "forceTLS": False,
        "enabledTransports": ["ws"],
        "channelAuthorization": {"endpoint": f"{server.url}/pusher/auth", **auth},
        "userAuthentication": {"endpoint": f"{server.url}/pusher/user-auth", **auth},
        **more,
    }


Connect = Callable[..., Client]
