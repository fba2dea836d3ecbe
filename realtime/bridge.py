"""The bridge from ASGI to Django's WSGI handler, on a pool of threads that lives on.

Django's own ASGI handler runs every synchronous request in a new thread context with a database
connection of its own, at a third of the speed. Here a request's body is read first, so that a slow
client occupies no thread; then it is one call in the pool, and one wake-up of the event loop for
the whole answer, unless that is streamed.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar, cast
from urllib.parse import quote, unquote_to_bytes

from realtime import tracing
from realtime.database.connections import with_connection

T = TypeVar("T")

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

HOLDER = "realtime.holder"
"""In the environ, what will hold a stream if the answer asks for it; no request header sets it."""

UPGRADE = "realtime.upgrade"
"""In the environ of a WebSocket's handshake, what will hold that; likewise."""

_SCHEMES = {"ws": "http", "wss": "https"}
_SPOOL = 256 * 1024
"""Larger request bodies go to disk."""
_WHOLE = 1024 * 1024
"""Larger answers are streamed."""


class ClientGone(Exception):
    """The client left before its request was complete."""


@dataclass(slots=True)
class Response:
    """An answer of the WSGI application: its start, and either all of its body or the rest."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    rest: Iterator[bytes] | None = None
    close: Callable[[], None] | None = None


class Bridge:
    """Calls a WSGI application for ASGI requests."""

    def __init__(self, application: WSGIApplication, threads: int) -> None:
        self._application = application
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="realtime-request")
        # Thousands of streams that open at once leave half of the threads to all other requests.
        self._opening = asyncio.Semaphore(max(1, threads // 2))

    async def __call__(self, scope: Scope, receive: Receive, holder: Any = None) -> Response:
        """The application's answer; raises `ClientGone`."""
        with SpooledTemporaryFile(max_size=_SPOOL) as body:
            await _read(receive, body)
            environ = _environ(scope, body) | {HOLDER: holder}
            async with self._opening if is_for_stream(scope) else nullcontext():
                return await self._in_pool(self._call, environ)

    async def handshake(self, scope: Scope, holder: Any) -> Response:
        """The application's answer to a WebSocket's handshake."""
        environ = _environ(scope, BytesIO()) | {UPGRADE: holder}
        async with self._opening:
            response = await self._in_pool(self._call, environ)
        if response.close:
            await self._in_pool(response.close)
        return response

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Calls a function that uses Django, on one of the threads that run requests."""
        return await self._in_pool(with_connection, function, *args)

    async def stream(self, response: Response) -> AsyncIterator[bytes]:
        """The rest of a streamed body."""
        rest = cast("Iterator[bytes]", response.rest)
        try:
            while (chunk := await self._in_pool(next, rest, None)) is not None:
                yield chunk
        finally:
            if response.close:
                await self._in_pool(response.close)

    async def complete(self, response: Response) -> None:
        """Reads what is left of a streamed body, for whoever needs it as a whole."""
        if response.rest is not None:
            response.body = b"".join([chunk async for chunk in self.stream(response)])
            response.rest = None

    async def _in_pool(self, function: Callable[..., T], *args: Any) -> T:
        call = tracing.carried(function)
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    def _call(self, environ: dict[str, Any]) -> Response:
        response = Response(500, [], b"")

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            response.status = int(status[:3])
            # Django writes cookies with a space before them, which strict servers refuse.
            response.headers = [
                (name.lower().encode("latin-1"), value.strip().encode("latin-1"))
                for name, value in headers
            ]

        answer = self._application(environ, start)
        close = getattr(answer, "close", None)
        if getattr(answer, "streaming", False) or not _is_short(response.headers):
            response.rest, response.close = iter(answer), close
            return response
        try:
            response.body = b"".join(answer)
        finally:
            if close:
                close()
        return response


def start(response: Response) -> Message:
    """How ASGI begins an answer."""
    return {
        "type": "http.response.start",
        "status": response.status,
        "headers": tracing.signed(response.headers),
    }


def body(chunk: bytes, *, more: bool = True) -> Message:
    """How ASGI goes on with an answer, or ends it."""
    return {"type": "http.response.body", "body": chunk, "more_body": more}


def is_for_stream(scope: Scope) -> bool:
    """Whether it is an EventSource that asks."""
    return any(
        name == b"accept" and b"text/event-stream" in value for name, value in scope["headers"]
    )


def _is_short(headers: list[tuple[bytes, bytes]]) -> bool:
    lengths = [int(value) for name, value in headers if name == b"content-length"]
    return not lengths or lengths[0] <= _WHOLE


async def _read(receive: Receive, body: Any) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body.write(message.get("body", b""))
        more = message.get("more_body", False)
    body.seek(0)


def _environ(scope: Scope, body: Any) -> dict[str, Any]:
    """The WSGI environ of PEP 3333 for an ASGI HTTP scope."""
    server = scope.get("server") or ("localhost", 80)
    root = scope.get("root_path", "")
    scheme = scope.get("scheme", "http")
    # WSGI wants the path's bytes as latin-1: from the raw path, where the server passes it on, for
    # the decoded one has lost what was not UTF-8.
    raw = scope.get("raw_path") or quote(scope["path"]).encode()
    path = unquote_to_bytes(raw.partition(b"?")[0]).decode("latin-1").removeprefix(root)
    environ = {
        # A WebSocket's scope has none.
        "REQUEST_METHOD": scope.get("method", "GET"),
        "SCRIPT_NAME": root.encode().decode("latin-1"),
        "PATH_INFO": path,
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1] or 0),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": _SCHEMES.get(scheme, scheme),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if scope.get("client"):
        environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = scope["client"][0], str(scope["client"][1])
    for name, value in scope["headers"]:
        # A header with an underscore could pass for one with a hyphen that a proxy has checked.
        if b"_" not in name:
            _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    if size := body.seek(0, os.SEEK_END):
        # A chunked body has no length of its own, and Django reads no further than this says.
        environ["CONTENT_LENGTH"] = str(size)
        body.seek(0)
    return environ


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    key = name.upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    if key in environ:
        separator = "; " if key == "HTTP_COOKIE" else ","
        value = f"{environ[key]}{separator}{value}"
    environ[key] = value
