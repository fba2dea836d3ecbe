"""A client of Pusher's protocol for tests, on a WebSocket that this project did not write."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Self

import httpx
import pusher
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from realtime.signatures import App
from tests.servers import DEADLINE, Server

APP = App("3", "278d425bdf160c739803", "7ad3773142a6692b25b8")
ENVIRON = {
    "PUSHER_APP_ID": APP.id,
    "PUSHER_KEY": APP.key,
    "PUSHER_SECRET": APP.secret,
    "REALTIME_PUBLIC_CHANNELS": "*",
}
PROTOCOL = ("pusher:", "pusher_internal:", "stream-reset")

Frame = dict[str, Any]


class Closed(Exception):
    """The server has closed the connection, by a code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Client:
    """One connection; frames are taken one by one, waiting for them."""

    def __init__(
        self,
        server: Server,
        *,
        token: str = "",
        path: str = f"/app/{APP.key}?protocol=7&client=test&version=1",
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> None:
        self.server = server
        self.token = token
        self._stack = ExitStack()
        url = server.url.replace("http", "ws", 1) + path
        options = {"compression": None, "open_timeout": DEADLINE, **options}
        connecting = connect(url, additional_headers=headers, **options)
        self.socket = self._stack.enter_context(connecting)
        self.id = ""

    @property
    def port(self) -> int:
        """This end's port."""
        return int(self.socket.local_address[1])

    def established(self) -> Self:
        """Takes the first frame, which names the connection."""
        frame = self.next()
        assert frame["event"] == "pusher:connection_established", frame
        self.id = json.loads(frame["data"])["socket_id"]
        return self

    def first(self) -> str | int:
        """The name of the first frame, or the code by which the server closes instead."""
        try:
            return str(self.next()["event"])
        except Closed as closed:
            return closed.code

    def next(self, timeout: float = DEADLINE) -> Frame:
        """The next frame of any kind; raises `Closed`."""
        try:
            return dict(json.loads(self.socket.recv(timeout)))
        except TimeoutError:
            raise AssertionError(f"No frame came within {timeout:g} s") from None
        except ConnectionClosed as closed:
            raise Closed(closed.rcvd.code if closed.rcvd else 1006) from None

    def until(self, event: str, timeout: float = DEADLINE) -> Frame:
        """The next frame of an event; what comes before it is passed over."""
        while (frame := self.next(timeout))["event"] != event:
            pass
        return frame

    def change(self) -> tuple[str, Any]:
        """The name and the data of the next event that is not the protocol's own."""
        while (frame := self.next())["event"].startswith(PROTOCOL):
            pass
        return frame["event"], json.loads(frame["data"])

    def closed(self) -> int:
        """The code by which the server closes, whatever comes before."""
        try:
            while True:
                self.next()
        except Closed as closed:
            return closed.code

    def is_quiet(self) -> None:
        """Asserts that nothing waits: the next thing that comes is the answer to a ping."""
        self.send("pusher:ping", {})
        # How many others there are is told whenever that changes.
        while (frame := self.next())["event"] == "pusher_internal:subscription_count":
            pass
        assert frame["event"] == "pusher:pong", frame

    def send(self, event: str, data: Any, **members: Any) -> None:
        """Sends a message."""
        self.socket.send(json.dumps({"event": event, "data": data, **members}))

    def signed(self, channel: str) -> dict[str, str]:
        """What the project's endpoint signs for a channel."""
        return self._signed("/pusher/auth", channel_name=channel)

    def sign_in(self) -> Frame:
        """Signs in as the token's user; the answer."""
        self.send("pusher:signin", self._signed("/pusher/user-auth"))
        return self.until("pusher:signin_success")

    def _signed(self, path: str, **form: str) -> dict[str, str]:
        headers = {"Authorization": f"Token {self.token}"}
        form["socket_id"] = self.id
        answer = httpx.post(f"{self.server.url}{path}", data=form, headers=headers, timeout=20)
        answer.raise_for_status()
        return dict(answer.json())

    def ask(self, channel: str, **data: str) -> None:
        """Asks for a channel, with a signature if it needs one."""
        if "auth" not in data and channel.startswith(("private-", "presence-")):
            data |= self.signed(channel)
        self.send("pusher:subscribe", {"channel": channel, **data})

    def subscribe(self, channel: str, **data: str) -> Frame:
        """Subscribes; the answer."""
        self.ask(channel, **data)
        frame = self.until("pusher_internal:subscription_succeeded")
        assert frame["channel"] == channel
        return frame

    def close(self) -> None:
        """Leaves."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def backend_of(server: Server) -> pusher.Pusher:
    """Pusher's library, as a backend that has the server's secret."""
    place = {"host": "127.0.0.1", "port": server.port, "ssl": False}
    return pusher.Pusher(APP.id, APP.key, APP.secret, **place)


@pytest.fixture
def pusher_app(settings: Any) -> None:
    """The same app in this process."""
    for name, value in (("APP_ID", APP.id), ("KEY", APP.key), ("SECRET", APP.secret)):
        setattr(settings, f"PUSHER_{name}", value)


@pytest.fixture(scope="session")
def app_server(make_shared_server: Callable[..., Server]) -> Server:
    """A server with an app, which many tests share: none may stop it."""
    return make_shared_server(
        **ENVIRON,
        REALTIME_KEEP_ALIVE="1",
        REALTIME_MAX_STREAMS_PER_USER="500",
    )
