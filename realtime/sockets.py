"""An open WebSocket, as the worker sees it."""

import asyncio
import random

from realtime import frames, pusher
from realtime.conf import settings
from realtime.events import Event, EventId
from realtime.subscriber import Subscriber

FORBIDDEN = "You may not read this channel any more."

_DRAINING = 1.5
"""Seconds over which the clients of a worker that ends are sent away: each comes back a second
later, and not all at once."""


class Socket(Subscriber[str]):
    """It speaks in frames of Pusher's protocol, and ends by a code."""

    __slots__ = ("_loop", "code", "heard", "reason")

    def __init__(self, *, limit: int, socket_id: str) -> None:
        super().__init__(limit=limit, socket_id=socket_id)
        self._loop = asyncio.get_running_loop()
        self.code = 1000
        self.reason = ""
        self.heard = self._loop.time()
        """When the client last sent something."""

    def encode(self, event: Event) -> str:
        return frames.encode(event)

    def forbid(self, channels: list[str]) -> None:
        for channel in channels:
            self.write(frames.subscription_error(channel, "AuthError", FORBIDDEN, 403))

    def reset(self, position: EventId, reason: str) -> None:
        for channel in self.channels:
            self.write(frames.stream_reset(channel, position, reason))

    def keep_alive(self, position: EventId | None) -> None:
        silent = self._loop.time() - self.heard
        if silent > 2 * settings.ACTIVITY_TIMEOUT:
            self.close(pusher.SILENT, "No answer to a ping.")
        elif silent > settings.ACTIVITY_TIMEOUT:
            self.write(frames.ping())

    def retire(self) -> None:
        delay = random.uniform(0, _DRAINING)  # noqa: S311 - spreads load, guards nothing
        self._loop.call_later(delay, self.close, pusher.OVER_CAPACITY, "This process ends.")

    def close(self, code: int, reason: str) -> None:
        """Ends the connection by a code; the first one counts."""
        if not self.ended:
            self.code, self.reason = code, reason
            self.end()
