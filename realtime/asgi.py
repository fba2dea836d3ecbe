"""The ASGI application: Django's requests at WSGI speed, and the streams that they ask to hold."""

import asyncio
import logging
import time
from contextlib import suppress

from django.core.exceptions import ImproperlyConfigured

from realtime import meters, sse, tracing, wire
from realtime.bridge import (
    Bridge,
    ClientGone,
    Receive,
    Response,
    Scope,
    Send,
    WSGIApplication,
    body,
    is_for_stream,
    start,
)
from realtime.conf import settings
from realtime.eventstream import HeldResponse
from realtime.exceptions import DatabaseUnfit
from realtime.grip import holds, proxies
from realtime.hub import jittered
from realtime.longpoll import HeldPoll
from realtime.operations import endpoints, gauges
from realtime.reopening import Visit, reopen
from realtime.websockets import admission
from realtime.worker import Worker

logger = logging.getLogger(__name__)

_PATIENCE = 3.0
"""Seconds for which a request waits for a worker that waits for the database."""

_UNFIT = (DatabaseUnfit, ImproperlyConfigured)
"""Why a worker can't start, however long one waits."""

_NOT_READY = "Not ready to serve: %s"

_BEGAN = "realtime.began"

requests = logging.getLogger("realtime.requests")
"""A line for each request that was answered, but for streams: see ``held.py``."""


class RealtimeApplication:
    """Wraps Django's WSGI application, for any ASGI server."""

    def __init__(self, application: WSGIApplication) -> None:
        self._bridge = Bridge(application, settings.THREADS)
        self._worker: Worker | None = None
        self._starting: asyncio.Task[Worker] | None = None
        self._measuring: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        name, headers = tracing.identify(scope["headers"])
        scope = {**scope, "headers": headers, _BEGAN: time.monotonic()}
        with tracing.request(name):
            if scope["type"] == "http":
                await self._http(scope, receive, send)
            else:
                await self._websocket(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._started()
        except _UNFIT as unfit:
            await send({"type": "lifespan.startup.failed", "message": str(unfit)})
            return
        except TimeoutError:
            pass  # It goes on waiting for the database; until then, requests are answered 503.
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _started(self) -> Worker:
        """Raises one of `_UNFIT`, or TimeoutError while the worker waits for the database."""
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
        self._measuring = asyncio.create_task(gauges.keep(worker))
        return worker

    async def _stop(self) -> None:
        if self._measuring is not None:
            self._measuring.cancel()
            with suppress(asyncio.CancelledError):
                await self._measuring
        if self._worker is not None:
            await self._worker.stop()

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if answer := endpoints.answer(scope, self._worker):
            # Of probes, which come every few seconds, only what is unusual is worth a line.
            await self._answer(answer, scope, send, tell=answer.status != 200)
            return
        try:
            worker = self._worker or await self._started()
        except (*_UNFIT, TimeoutError) as error:
            logger.warning(_NOT_READY, error or "the database can't be used")
            if is_for_stream(scope):
                meters.count(meters.REFUSED.slot("unavailable"))
            await self._answer(_later() if is_for_stream(scope) else _unavailable(), scope, send)
            return
        proxied = proxies.signed(holds.signature(scope["headers"]))
        if not proxied:
            scope = {**scope, "headers": holds.without(scope["headers"])}
        visit = Visit.of(scope) if is_for_stream(scope) and not proxied else None
        if visit and (back := await reopen(worker, visit)):
            await self._hold(worker, *back, visit, scope, receive, send)
            return
        try:
            response = await self._bridge(scope, receive, None if proxied else worker)
        except ClientGone:
            return
        if refusal := endpoints.refusal(scope, response.status):
            await self._bridge.complete(response)
            response = refusal
        hold = None
        if not proxied:
            hold = holds.Hold.parse(response.headers)
            response.headers = holds.without(response.headers)
        if hold is None:
            await self._answer(response, scope, send)
        else:
            await self._bridge.complete(response)
            response.headers = holds.endless(response.headers)
            if hold.wait:
                await HeldPoll(worker, hold).run(response, receive, send)
                return
            await self._hold(worker, response, hold, visit, scope, receive, send)

    async def _hold(
        self,
        worker: Worker,
        response: Response,
        hold: holds.Hold,
        visit: Visit | None,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        held = HeldResponse(worker, self._bridge, hold, visit.request if visit else None)
        await held.run(response, receive, send, wire.lender(scope))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            worker = self._worker or await self._started()
        except (*_UNFIT, TimeoutError) as error:
            logger.warning(_NOT_READY, error or "the database can't be used")
            await admission.postpone(receive, send)
        else:
            scope = {**scope, "headers": holds.without(scope["headers"])}
            await admission.serve(worker, self._bridge, scope, receive, send)

    async def _answer(
        self, response: Response, scope: Scope, send: Send, *, tell: bool = True
    ) -> None:
        if scope["method"] == "HEAD":
            response.body = b""
        if tell:
            _tell(scope, response)
        await send(start(response))
        if response.rest is None:
            await send(body(response.body, more=False))
            return
        async for chunk in self._bridge.stream(response):
            await send(body(chunk))
        await send(body(b"", more=False))


def _tell(scope: Scope, response: Response) -> None:
    """A line for the log; without the query, in which there may be a ticket."""
    if requests.isEnabledFor(logging.INFO):
        took = round((time.monotonic() - scope[_BEGAN]) * 1000, 1)
        told = {"method": scope["method"], "path": scope["path"], "status": response.status}
        requests.info("A request was answered", extra={**told, "milliseconds": took})


def _unavailable() -> Response:
    text = b'{"detail": "The database can\'t be used yet. Try again."}'
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"1")]
    return Response(503, [*headers, (b"content-length", b"%d" % len(text))], text)


def _later() -> Response:
    """Any other status would end an EventSource for good."""
    text = sse.retry(jittered(settings.RETRY))
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    return Response(200, [*headers, (b"content-length", b"%d" % len(text))], text)
