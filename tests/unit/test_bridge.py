"""The bridge to Django: who gets its threads."""

import asyncio
import threading

from realtime.bridge import Bridge
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
