"""The stream of Server-Sent Events that a held response goes on with."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial

from realtime import sse
from realtime.bookkeeping.attendance import Attendee, Attending
from realtime.bridge import Bridge, Receive, Response, Send, body, start
from realtime.conf import settings
from realtime.events import EventId
from realtime.grip.holds import Hold
from realtime.held import FORBIDDEN, Place, Writer, catch_up, disconnected, hold
from realtime.hub import jittered
from realtime.remembered import Headers, Opened
from realtime.rights.grants import Grant
from realtime.subscriber import Subscriber, Subscription
from realtime.wire import Flusher, Lend, Wire
from realtime.worker import Worker


def _nothing() -> None:
    """It has been left already."""


class EventStream(Subscriber[bytes]):
    """An open stream, which speaks in Server-Sent Events."""

    __slots__ = ()

    encode = staticmethod(sse.encode)

    def forbid(self, channels: list[str]) -> None:
        self.write(sse.stream_error("forbidden", FORBIDDEN, channels))
        if not self.channels:
            self.end("forbidden")

    def restart(self, position: EventId, channels: list[str], reason: str) -> bytes:
        """What tells that something may be missing before `position`."""
        return sse.stream_reset(position, channels, reason)

    def reset(self, position: EventId, reason: str) -> None:
        self.write(self.restart(position, sorted(self.channels), reason))

    def keep_alive(self, position: EventId | None) -> None:
        self.write(sse.keep_alive(position))

    def retire(self, reason: str = "drained") -> None:
        self.write(sse.retry(jittered(settings.RETRY)))
        self.end(reason)


FORMS: dict[str, type[EventStream]] = {"": EventStream}
"""Forms of streams by the names that hold instructions have for them."""


class MemberStream(EventStream, Attending):
    """One whose user is a member of its presence channels."""

    __slots__ = ()


class StreamWire(Wire[bytes], asyncio.Protocol):
    """Writes a stream in chunks of HTTP/1.1, RFC 9112, section 7.1, and is told by its transport
    when the connection is lost. What the client sends meanwhile is of no interest."""

    __slots__ = ("_left", "_returned")

    def __init__(self, flusher: Flusher, subscriber: EventStream, left: Callable[[], None]) -> None:
        """`left` is called once, when nothing more will be written."""
        super().__init__(flusher, subscriber)
        self._left = left
        self._returned: Callable[[], None] | None = None

    def open(self, lend: Lend) -> None:
        """Goes on with a response that has begun."""
        self._returned = self.connect(lend)
        if self._returned is None:
            self._leave()

    def encode(self, frames: list[bytes]) -> bytes:
        """One chunk."""
        data = b"".join(frames)
        return b"%x\r\n%b\r\n" % (len(data), data)

    def finish(self) -> None:
        """Ends the response, and the connection when that is written."""
        if self._transport is not None:
            self._transport.write(b"0\r\n\r\n")
            self._transport.close()
        # Not when the connection is lost: one whose reader takes nothing may stay for long.
        self._leave()

    def connection_lost(self, exc: Exception | None) -> None:
        """As of asyncio's protocols; called before the transport closes its descriptor."""
        self.step_aside()
        self._leave()
        if self._returned is not None:
            self._returned()

    def _leave(self) -> None:
        left, self._left = self._left, _nothing
        left()


class HeldResponse:
    """One held response: first the replay, then what is live."""

    __slots__ = (
        "_bridge", "_channels", "_checked", "_grant", "_member", "_request", "_slot", "_subscriber",
        "_worker",
    )  # fmt: skip

    def __init__(
        self, worker: Worker, bridge: Bridge, instructions: Hold, request: bytes | None = None
    ) -> None:
        """`request` is what it may be remembered by when it has ended, if it may be."""
        # What is answered from memory has the usual form.
        self._request = None if instructions.form else request
        self._worker = worker
        self._bridge = bridge
        self._slot = instructions.slot
        self._channels = frozenset(instructions.channels)
        self._checked = instructions.position
        self._grant = Grant.load(instructions.grant)
        self._member = instructions.member
        self._subscriber = _stream(instructions)

    async def run(
        self, response: Response, receive: Receive, send: Send, lend: Lend | None = None
    ) -> None:
        """Goes on with a response until either side leaves; or, where the server lends its
        connection, until the stream is live and needs nobody any more."""
        remember = partial(
            self._remember, self._worker.guard.memory.shared(tuple(response.headers))
        )
        if lend is not None:
            await self._hand_over(response, send, lend, remember)
            return
        sending, receiving = self._send(response, send, remember), disconnected(receive)
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
            opened = Opened(tuple(sorted(self._channels)), self._grant, headers, self._member)
            self._worker.guard.memory.remember(self._request, opened)

    async def _hand_over(
        self, response: Response, send: Send, lend: Lend, remember: Callable[[], None]
    ) -> None:
        async def pass_on(frames: list[bytes]) -> None:
            async with asyncio.timeout(float(settings.STALL_TIMEOUT)):
                await send(body(b"".join(frames)))

        cut = partial(self._subscriber.abort, "stalled")
        place = Place(self._worker, self._subscriber, self._slot, cut, remember)
        wire = StreamWire(self._worker.flusher, self._subscriber, place.leave)
        try:
            await self._begin(response, send, pass_on)
            remember()
        except TimeoutError:
            self._subscriber.abort("stalled")
        except BaseException:
            place.leave()
            raise
        wire.open(lend)

    async def _send(self, response: Response, send: Send, remember: Callable[[], None]) -> None:
        subscriber = self._subscriber

        async def pass_on(frames: list[bytes]) -> None:
            await send(body(b"".join(frames)))

        writer = Writer(subscriber, pass_on)
        await self._begin(response, send, writer.send)
        remember()
        await writer.run()
        if not subscriber.cut:
            await send(body(b"", more=False))

    async def _begin(
        self, response: Response, send: Send, pass_on: Callable[[list[bytes]], Awaitable[None]]
    ) -> None:
        """What is sent here waits for the reader. At the end, the stream is live."""
        await send(start(response))
        await send(body(response.body))
        channels, subscription = self._channels, Subscription(self._checked, self._grant)
        hub = self._worker.hub
        async for page in catch_up(
            hub, self._bridge, self._subscriber, channels, subscription.position
        ):
            frames = [self._subscriber.encode(event) for event in page.events]
            if page.reset:
                frames = [self._subscriber.restart(page.upto, sorted(channels), page.reset)]
            if frames:
                await pass_on(frames)
            subscription.position = page.upto
        hub.subscribe(self._subscriber, channels, subscription)
        self._worker.guard.welcome(self._subscriber, self._checked)
        if self._worker.draining:
            self._subscriber.retire()


def _stream(instructions: Hold) -> EventStream:
    if instructions.member:
        attendee = Attendee(*json.loads(instructions.member))
        return MemberStream(limit=settings.STREAM_BUFFER, attendee=attendee)
    return FORMS[instructions.form](limit=settings.STREAM_BUFFER)
