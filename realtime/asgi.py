"""The ASGI application: Django's requests at WSGI speed, and the streams that they ask to hold."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

from realtime import failpoints, grip, log, proxies, sse
from realtime.bridge import Bridge, ClientGone, Receive, Response, Scope, Send, WSGIApplication
from realtime.conf import settings
from realtime.exceptions import DatabaseUnfit, PositionLost
from realtime.grants import Grant
from realtime.hub import Subscriber, jittered
from realtime.stream import reset
from realtime.worker import Worker

logger = logging.getLogger(__name__)

Message = dict[str, Any]

_PATIENCE = 3.0
"""Seconds for which a request waits for a worker that waits for the database."""


class RealtimeApplication:
    """Wraps Django's WSGI application, for any ASGI server."""

    def __init__(self, application: WSGIApplication) -> None:
        self._bridge = Bridge(application, settings.THREADS)
        self._worker: Worker | None = None
        self._starting: asyncio.Task[Worker] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._started()
        except DatabaseUnfit as unfit:
            await send({"type": "lifespan.startup.failed", "message": str(unfit)})
            return
        except TimeoutError:
            pass  # It goes on waiting for the database; until then, requests are answered 503.
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if self._worker is not None:
            await self._worker.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _started(self) -> Worker:
        """Raises `DatabaseUnfit`, or TimeoutError while the worker waits for the database."""
        # Servers without lifespan start the worker by their first request.
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
            # Whoever has stopped waiting for it does not ask how it ended.
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        async with asyncio.timeout(_PATIENCE):
            return await asyncio.shield(self._starting)

    async def _start(self) -> Worker:
        worker = Worker()
        await worker.start()
        self._worker = worker
        return worker

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            worker = self._worker or await self._started()
        except (DatabaseUnfit, TimeoutError) as error:
            logger.warning("Not ready to serve: %s", error or "the database can't be used")
            await self._answer(_unavailable(), send)
            return
        try:
            if proxied := proxies.signed(grip.signature(scope["headers"])):
                response = await self._bridge(scope, receive)
            else:
                scope = {**scope, "headers": grip.without(scope["headers"])}
                response = await self._bridge(scope, receive, worker)
        except ClientGone:
            return
        hold = None
        if not proxied:
            hold = grip.Hold.parse(response.headers)
            response.headers = grip.without(response.headers)
        if hold is None:
            if scope["method"] == "HEAD":
                response.body = b""
            await self._answer(response, send)
        else:
            await self._bridge.complete(response)
            response.headers = grip.endless(response.headers)
            await _Stream(worker, self._bridge, hold).run(response, receive, send)

    async def _answer(self, response: Response, send: Send) -> None:
        await send(_start(response))
        if response.rest is None:
            await send(_body(response.body, more=False))
            return
        async for chunk in self._bridge.stream(response):
            await send(_body(chunk))
        await send(_body(b"", more=False))


class _Stream:
    """One held response: first the replay, then what is live."""

    def __init__(self, worker: Worker, bridge: Bridge, hold: grip.Hold) -> None:
        self._worker = worker
        self._hub = worker.hub
        self._bridge = bridge
        self._slot = hold.slot
        self._checked = hold.position
        self._woken = asyncio.Event()
        self._subscriber = Subscriber(
            hold.channels,
            hold.position,
            sse.encode,
            grant=Grant.load(hold.grant),
            limit=settings.STREAM_BUFFER,
        )
        self._subscriber.on_write(self._woken.set)

    async def run(self, response: Response, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        sending = loop.create_task(self._send(response, send))
        leaving = loop.create_task(_disconnected(receive))
        attended = self._worker.attend(self._subscriber, sending)
        free = self._worker.slots.hold(self._slot)
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            attended()
            free()
            self._hub.unsubscribe(self._subscriber)
            leaving.cancel()
            sending.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending

    async def _send(self, response: Response, send: Send) -> None:
        subscriber = self._subscriber
        await send(_start(response))
        await send(_body(response.body))
        await self._catch_up(send)
        self._worker.welcome(subscriber, self._checked)
        if self._worker.draining:
            subscriber.write(sse.retry(jittered(settings.RETRY)))
            subscriber.end()
        while True:
            await self._woken.wait()
            self._woken.clear()
            if chunk := subscriber.take():
                await self._pass_on(chunk, send)
            if subscriber.ended and not subscriber.frames:
                break
        if not subscriber.cut:
            await send(_body(b"", more=False))

    async def _catch_up(self, send: Send) -> None:
        """Sends what the log and the hub remember until so little is missing that the buffer can
        take it; then the hub goes on. What is sent here waits for the reader."""
        subscriber, hub = self._subscriber, self._hub
        while True:
            missed = hub.since(subscriber.position)
            if missed is None:
                chunk = await self._read_log()
            else:
                mine = (event for event in missed if event.channel in subscriber.channels)
                chunk = b"".join(map(sse.encode, mine))
                if len(chunk) <= settings.STREAM_BUFFER // 2:
                    hub.subscribe(subscriber)
                    return
                subscriber.position = hub.position
            await self._pass_on(chunk, send)

    async def _read_log(self) -> bytes:
        subscriber = self._subscriber
        channels = sorted(subscriber.channels)
        try:
            page = await self._bridge.run(log.read_after, subscriber.position, channels)
        except PositionLost as lost:
            opening = await self._bridge.run(reset, lost.reason)
            subscriber.position = opening.upto
            return sse.stream_reset(opening.upto, channels, lost.reason)
        subscriber.position = page.upto
        return b"".join(map(sse.encode, page.events))

    async def _pass_on(self, chunk: bytes, send: Send) -> None:
        if not chunk:
            return
        self._subscriber.stalled_since = asyncio.get_running_loop().time()
        failpoints.reach("stream.sending")
        await send(_body(chunk))
        self._subscriber.stalled_since = None


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _unavailable() -> Response:
    body = b'{"detail": "The database can\'t be used yet. Try again."}'
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"1")]
    return Response(503, [*headers, (b"content-length", b"%d" % len(body))], body)


def _start(response: Response) -> Message:
    return {
        "type": "http.response.start",
        "status": response.status,
        "headers": response.headers,
    }


def _body(chunk: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": chunk, "more_body": more}
