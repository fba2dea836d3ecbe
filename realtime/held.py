"""A connection that this process holds: what its transports have in common."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from typing import Any, Generic

from realtime import failpoints, log, meters, tracing
from realtime.bridge import Bridge, Receive
from realtime.conf import settings
from realtime.events import EventId
from realtime.exceptions import PositionLost
from realtime.hub import Hub
from realtime.stream import Opening, reset
from realtime.subscriber import AnySubscriber, Frame, Subscriber
from realtime.worker import Worker

FORBIDDEN = "You may not read these channels any more."
logger = logging.getLogger("realtime.streams")
"""Two lines for each connection."""


def _nothing() -> None:
    """Nobody wants to know."""


class Place:
    """What a connection has in its worker: a turn for keep-alives, a slot, its subscriptions."""

    __slots__ = ("_attended", "_leaving", "_slot", "_subscriber", "_worker")

    def __init__(
        self,
        worker: Worker,
        subscriber: AnySubscriber,
        slot: int,
        cut: Callable[[], object],
        leaving: Callable[[], None] = _nothing,
    ) -> None:
        """`cut` is called to break a connection that stalls; `leaving` while the subscriber is
        still one, in the same step in which it ends to be."""
        self._worker = worker
        self._subscriber = subscriber
        self._slot = slot
        self._leaving = leaving
        self._attended = worker.attend(subscriber, cut)
        subscriber.slot = slot
        subscriber.request_id = tracing.current()
        worker.slots.hold(slot)
        meters.values[meters.OPENED.slot(subscriber.transport)] += 1
        self._say("A connection has opened")

    def leave(self) -> None:
        """To be called once, when the connection has ended: then nothing of it is left."""
        self._attended()
        self._leaving()
        self._worker.hub.unsubscribe(self._subscriber)
        reason = self._subscriber.ending or "left"
        meters.values[meters.ENDED.slot(self._subscriber.transport, reason)] += 1
        self._say("A connection has ended", reason=reason)
        self._worker.slots.give_back(self._slot)

    def _say(self, text: str, **more: str) -> None:
        # Another request, or none, may be at work here when it ends.
        if logger.isEnabledFor(logging.INFO):
            one = self._subscriber
            told = {"request_id": one.request_id, "transport": one.transport}
            logger.info(text, extra={**told, "owner": self._worker.slots.owner(self._slot), **more})


async def hold(
    worker: Worker,
    subscriber: AnySubscriber,
    slot: int,
    sending: Coroutine[Any, Any, None],
    receiving: Coroutine[Any, Any, None],
    leaving: Callable[[], None] = _nothing,
) -> None:
    """Runs the two sides of a connection until either ends; `leaving` as of `Place`."""
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(sending), loop.create_task(receiving)]
    place = Place(worker, subscriber, slot, tasks[0].cancel, leaving)
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        place.leave()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, OSError):
                await task


async def disconnected(receive: Receive) -> None:
    """Returns when the client of an HTTP request has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Writer(Generic[Frame]):
    """Sends what a subscriber is to get, as fast as its reader takes it."""

    def __init__(
        self, subscriber: Subscriber[Frame], send: Callable[[list[Frame]], Awaitable[None]]
    ) -> None:
        self._subscriber: Subscriber[Frame] = subscriber
        self._send: Callable[[list[Frame]], Awaitable[None]] = send
        self._woken = asyncio.Event()
        self._flushed: asyncio.Future[None] | None = None
        subscriber.on_write(self._woken.set)

    async def run(self) -> None:
        """Sends what the subscriber is written, until its end."""
        subscriber = self._subscriber
        while True:
            await self._woken.wait()
            self._woken.clear()
            if frames := subscriber.take():
                await self.send(frames)
            if self._flushed is not None and not subscriber.frames:
                self._flushed.set_result(None)
                self._flushed = None
            if subscriber.ended and not subscriber.frames:
                return

    async def send(self, frames: list[Frame]) -> None:
        """Sends frames; whoever takes them too slowly is noticed meanwhile."""
        self._subscriber.stalled_since = asyncio.get_running_loop().time()
        failpoints.reach("stream.sending")
        await self._send(frames)
        self._subscriber.stalled_since = None

    async def flushed(self) -> None:
        """Returns once everything that was written is sent, for whoever has much to write."""
        subscriber = self._subscriber
        while subscriber.frames or subscriber.stalled_since is not None:
            self._flushed = self._flushed or asyncio.get_running_loop().create_future()
            await self._flushed


async def catch_up(
    hub: Hub,
    bridge: Bridge,
    subscriber: Subscriber[Frame],
    channels: Collection[str],
    position: EventId,
) -> AsyncIterator[Opening]:
    """What came on `channels` after `position`, from the log and from what the hub remembers, until
    so little is missing that the subscriber's buffer can take it: then the hub goes on, if it is
    told to before anything is waited for."""
    while True:
        missed = hub.since(position)
        if missed is None:
            page = await bridge.run(_read, position, sorted(channels))
        else:
            mine = [event for event in missed if event.channel in channels]
            if sum(len(subscriber.encode(event)) for event in mine) <= settings.STREAM_BUFFER // 2:
                return
            page = Opening(position, hub.position, mine)
        position = page.upto
        yield page


def _read(position: EventId, channels: list[str]) -> Opening:
    try:
        page = log.read_after(position, channels)
    except PositionLost as lost:
        return reset(lost.reason)
    return Opening(position, page.upto, page.events)
