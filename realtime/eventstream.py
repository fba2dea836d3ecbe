"""The stream of Server-Sent Events that a held response goes on with."""

from functools import partial

from realtime import sse
from realtime.bridge import Bridge, Receive, Response, Send, body, start
from realtime.conf import settings
from realtime.events import Event, EventId
from realtime.grants import Grant
from realtime.grip import Hold
from realtime.held import Writer, catch_up, hold
from realtime.hub import jittered
from realtime.remembered import Headers, Opened
from realtime.subscriber import Subscriber, Subscription
from realtime.worker import Worker

FORBIDDEN = "You may not read these channels any more."


class EventStream(Subscriber[bytes]):
    """An open stream, which speaks in Server-Sent Events."""

    __slots__ = ()

    def encode(self, event: Event) -> bytes:
        return sse.encode(event)

    def forbid(self, channels: list[str]) -> None:
        self.write(sse.stream_error("forbidden", FORBIDDEN, channels))
        if not self.channels:
            self.end()

    def reset(self, position: EventId, reason: str) -> None:
        self.write(sse.stream_reset(position, sorted(self.channels), reason))

    def keep_alive(self, position: EventId | None) -> None:
        self.write(sse.keep_alive(position))

    def retire(self) -> None:
        self.write(sse.retry(jittered(settings.RETRY)))
        self.end()


class HeldResponse:
    """One held response: first the replay, then what is live."""

    def __init__(
        self, worker: Worker, bridge: Bridge, instructions: Hold, request: bytes | None = None
    ) -> None:
        """`request` is what it may be remembered by when it has ended, if it may be."""
        self._request = request
        self._worker = worker
        self._bridge = bridge
        self._slot = instructions.slot
        self._channels = frozenset(instructions.channels)
        self._checked = instructions.position
        self._grant = Grant.load(instructions.grant)
        self._subscriber = EventStream(limit=settings.STREAM_BUFFER)

    async def run(self, response: Response, receive: Receive, send: Send) -> None:
        """Goes on with a response until either side leaves."""
        remember = partial(
            self._remember, self._worker.guard.memory.shared(tuple(response.headers))
        )
        sending, receiving = self._send(response, send), _disconnected(receive)
        await hold(self._worker, self._subscriber, self._slot, sending, receiving, remember)

    def _remember(self, headers: Headers) -> None:
        """Has the same request answered from memory for a while, if all of its rights still hold
        for all that is known, and their end would be noticed."""
        intact = self._subscriber.on_grant(self._grant) == self._channels
        if self._request is None or not intact or not self._grant.ends:
            return
        # Whom this side has ended may have been sent away because of a doubt.
        if self._subscriber.ended or self._worker.guard.doubts(self._subscriber):
            return
        if all(name != b"set-cookie" for name, _ in headers):
            opened = Opened(tuple(sorted(self._channels)), self._grant, headers)
            self._worker.guard.memory.remember(self._request, opened)

    async def _send(self, response: Response, send: Send) -> None:
        subscriber = self._subscriber

        async def pass_on(frames: list[bytes]) -> None:
            await send(body(b"".join(frames)))

        writer = Writer(subscriber, pass_on)
        await send(start(response))
        await send(body(response.body))
        await self._catch_up(writer)
        self._worker.guard.welcome(subscriber, self._checked)
        if self._worker.draining:
            subscriber.retire()
        await writer.run()
        if not subscriber.cut:
            await send(body(b"", more=False))

    async def _catch_up(self, writer: Writer[bytes]) -> None:
        """What is sent here waits for the reader."""
        channels, subscription = self._channels, Subscription(self._checked, self._grant)
        hub = self._worker.hub
        async for page in catch_up(
            hub, self._bridge, self._subscriber, channels, subscription.position
        ):
            frames = [sse.encode(event) for event in page.events]
            if page.reset:
                frames = [sse.stream_reset(page.upto, sorted(channels), page.reset)]
            if frames:
                await writer.send(frames)
            subscription.position = page.upto
        hub.subscribe(self._subscriber, channels, subscription)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
