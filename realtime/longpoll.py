"""A poll that is held until something comes: long polling, without a thread that waits.

It is a subscriber like a stream, with the same rights and counted by the same quota; but the first
thing that it is told ends it. So the answer is made of what the hub hands out: the database is not
asked again.
"""

import asyncio
from contextlib import suppress

from realtime import polls
from realtime.bridge import Receive, Response, Send, body, start
from realtime.events import Event, EventId, dumps
from realtime.grip.holds import Hold
from realtime.held import FORBIDDEN, disconnected, hold
from realtime.rights.grants import Grant
from realtime.subscriber import Subscriber, Subscription
from realtime.worker import Worker


class Poll(Subscriber[str]):
    """Somebody who waits for whatever comes first."""

    __slots__ = ("refused", "restarted")

    lasts = False
    # With each answer, a channel would be said to have one subscription less, and then one more.

    def __init__(self) -> None:
        super().__init__()
        self.refused = False
        """Whether a right has ended."""
        self.restarted: tuple[EventId, str] | None = None
        """From where on, and why, if the log can't be continued."""

    def encode(self, event: Event) -> str:
        return polls.encode(event)

    def wants(self, event: Event) -> bool:
        """Whether it has a place in a page: who asks again would not find there what is in no
        log."""
        return event.id is not None

    def forbid(self, channels: list[str]) -> None:
        self.refused = True
        self.end()

    def reset(self, position: EventId, reason: str) -> None:
        self.restarted = position, reason
        self.end()

    def keep_alive(self, position: EventId | None) -> None:
        """An answer that has not begun has nothing to be kept alive by."""

    def retire(self, reason: str = "drained") -> None:
        self.end(reason)


class HeldPoll:
    """One answer that waits."""

    def __init__(self, worker: Worker, instructions: Hold) -> None:
        self._worker = worker
        self._hold = instructions
        self._poll = Poll()
        self._subscription = Subscription(instructions.position, Grant.load(instructions.grant))

    async def run(self, response: Response, receive: Receive, send: Send) -> None:
        """Answers when something has come, or the time is over; not at all if the client leaves.
        `response` is the answer that there would be by now."""
        sending, receiving = self._answer(response, send), disconnected(receive)
        await hold(self._worker, self._poll, self._hold.slot, sending, receiving)

    async def _answer(self, response: Response, send: Send) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._hold.wait):
                await self._something()
        status, text = self._outcome(response.status)
        headers = [(b"content-length", b"%d" % len(text)), *response.headers]
        await send(start(Response(status, headers, text)))
        await send(body(text, more=False))

    async def _something(self) -> None:
        hub, channels, woken = self._worker.hub, self._hold.channels, asyncio.Event()
        self._poll.on_write(woken.set)
        # What is older than the hub remembers is in the log: the client asks again.
        if self._worker.draining or not hub.subscribe(self._poll, channels, self._subscription):
            return
        self._worker.guard.welcome(self._poll, self._hold.position)
        await woken.wait()

    def _outcome(self, status: int) -> tuple[int, bytes]:
        """The answer's status and body, of all that has come by now."""
        poll, channels = self._poll, self._hold.channels
        if poll.refused:
            return 403, dumps({"detail": FORBIDDEN}).encode()
        if poll.restarted:
            position, reason = poll.restarted
            return status, polls.page(position, (), channels, reason)
        # Past what was not for it, lest a quiet client fall behind what the log keeps.
        level = self._worker.hub.is_level(poll)
        upto = self._worker.hub.position if level else self._subscription.position
        return status, polls.page(upto, poll.take())
