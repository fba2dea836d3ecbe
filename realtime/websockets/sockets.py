"""An open WebSocket, as the worker sees it."""

import asyncio
import random
import struct
from typing import Any

from realtime.conf import settings
from realtime.events import Event, EventId
from realtime.presence.members import version
from realtime.pusher import codes, frames
from realtime.subscriber import Subscriber
from realtime.wire import Flusher, Lend, Wire

FORBIDDEN = "You may not read this channel any more."

_DRAINING = 1.5
"""Seconds over which the clients of a worker that ends are sent away: each comes back a second
later, and not all at once."""


class Socket(Subscriber[str]):
    """It speaks in frames of Pusher's protocol, and ends by a code."""

    __slots__ = ("_loop", "code", "grant", "heard", "pinged", "reason", "user_id", "versions")
    transport = "websocket"

    def __init__(self, *, limit: int, socket_id: str) -> None:
        super().__init__(limit=limit, socket_id=socket_id)
        self._loop = asyncio.get_running_loop()
        self.code = 1000
        self.reason = ""
        self.heard = self._loop.time()
        """When the client last sent something."""
        self.pinged = 0.0
        """When it was last asked to."""
        self.user_id = ""
        """Who has signed in."""
        self.grant: Any = None
        """On what grounds; None if these can't end."""
        self.versions: dict[str, int] = {}
        """Of presence channels, what the client has been told of their members."""

    @property
    def grants(self) -> set[Any]:
        return super().grants | ({self.grant} if self.grant is not None else set())

    encode = staticmethod(frames.encode)

    def wants(self, event: Event) -> bool:
        """Whether the client neither knows an event, nor has caused it itself."""
        if event.exclude and event.exclude == self.socket_id:
            return False
        return not (self.versions and self._knows(event))

    def _knows(self, event: Event) -> bool:
        known = self.versions.get(event.channel)
        return known is not None and (version(event) or known + 1) <= known

    def forbid(self, channels: list[str]) -> None:
        for channel in channels:
            self.write(frames.subscription_error(channel, *codes.FORBIDDEN, FORBIDDEN))

    def revoke(self, grant: Any) -> None:
        if grant == self.grant:
            self.close(codes.UNAUTHORIZED, "You are not logged in any more.", "forbidden")

    def kick(self) -> None:
        self.close(codes.OVER_CAPACITY, "This connection was ended.", "kicked")

    def expel(self) -> None:
        self.close(codes.UNAUTHORIZED, "You are not logged in any more.", "revoked")

    def terminate(self, user_id: str) -> None:
        if user_id == self.user_id:
            text = "The connections of this user were ended."
            self.close(codes.UNAUTHORIZED, text, "terminated")

    def reset(self, position: EventId, reason: str) -> None:
        for channel in self.channels:
            self.write(frames.stream_reset(channel, position, reason))

    def keep_alive(self, position: EventId | None) -> None:
        now = self._loop.time()
        if self.pinged > self.heard:
            if now > self.pinged + settings.ACTIVITY_TIMEOUT:
                self.close(codes.SILENT, "No answer to a ping.", "silent")
        elif now > self.heard + settings.ACTIVITY_TIMEOUT:
            self.pinged = now
            self.write(frames.ping())

    def retire(self, reason: str = "drained") -> None:
        delay = random.uniform(0, _DRAINING)  # noqa: S311 - spreads load, guards nothing
        self._loop.call_later(delay, self.close, codes.OVER_CAPACITY, "This process ends.", reason)

    def close(self, code: int, text: str, reason: str = "protocol") -> None:
        """Ends the connection by a code and a text for the client; the first one counts."""
        if not self.ended:
            self.code, self.reason = code, text
            self.end(reason)


class SocketWire(Wire[str]):
    """Writes messages to a connection whose other half the server goes on reading."""

    __slots__ = ("_finished", "_lend")

    def __init__(self, flusher: Flusher, socket: Socket, lend: Lend) -> None:
        super().__init__(flusher, socket)
        self._lend = lend
        self._finished = asyncio.Event()

    async def run(self) -> None:
        """Writes until there will be no more; raises ConnectionResetError if the connection is
        lost already."""
        if self.connect(self._lend) is None:
            raise ConnectionResetError
        await self._finished.wait()

    def encode(self, frames: list[str]) -> bytes:
        return b"".join(map(_text_frame, frames))

    def finish(self) -> None:
        self._finished.set()


def _text_frame(text: str) -> bytes:
    """A whole text message as a server sends it: RFC 6455, section 5.2."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", 0x81, 126, size) + payload
    return struct.pack("!BBQ", 0x81, 127, size) + payload
