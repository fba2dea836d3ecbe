"""The bridge to Django: who gets its threads."""

import asyncio
import threading

from realtime.bridge import HOLDER, UPGRADE, Bridge
from tests.ports import DEADLINE

THREADS = 4
SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "http_version": "1.1"}
STREAM, OTHER = b"text/event-stream", b"application/json"


async def nothing_more():
    return {"type": "http.request", "body": b"", "more_body": False}


async def ask(bridge, accept):
    return await bridge({**SCOPE, "headers": [(b"accept", accept)]}, nothing_more)


def test_streams_that_open_leave_threads_to_other_requests():
    database = threading.Event()

    def application(environ, start_response):
        if environ["HTTP_ACCEPT"] == STREAM.decode():
            database.wait(2 * DEADLINE)
        start_response("200 OK", [])
        return [b"done"]

    async def main():
        bridge = Bridge(application, THREADS)
        streams = [asyncio.create_task(ask(bridge, STREAM)) for _ in range(10 * THREADS)]
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(DEADLINE):
                assert (await ask(bridge, OTHER)).body == b"done"
        finally:
            database.set()
        assert {(await stream).body for stream in streams} == {b"done"}

    asyncio.run(main())


def test_a_handshake_is_a_request_of_a_websocket_s_scope():
    seen = {}

    def application(environ, start_response):
        seen.update(environ)
        start_response("200 OK", [("Set-Cookie", ' sessionid=""; Path=/')])
        return [b"done"]

    # What the ASGI specification has in a WebSocket's scope: no method.
    scope = {
        "type": "websocket",
        "scheme": "wss",
        "path": "/app/key",
        "query_string": b"protocol=7",
        "headers": [(b"host", b"example.org")],
    }
    holder = object()
    response = asyncio.run(Bridge(application, THREADS).handshake(scope, holder))
    assert (seen["REQUEST_METHOD"], seen["PATH_INFO"]) == ("GET", "/app/key")
    assert seen["wsgi.url_scheme"] == "https"
    assert seen[UPGRADE] is holder
    assert HOLDER not in seen
    assert response.headers == [(b"set-cookie", b'sessionid=""; Path=/')]
