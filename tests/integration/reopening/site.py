"""The application in the test's own process, and visits to it."""

import asyncio
import re
from contextlib import asynccontextmanager

from django.db import connections

from api.wsgi import application as django
from realtime.asgi import RealtimeApplication
from tests.ports import DEADLINE


class Site:
    """The application in this process; it notes the requests that reach Django."""

    def __init__(self, channel, token):
        self.asked = []
        self.application = RealtimeApplication(self._django)
        self.channel = channel
        self._token = token.key

    def _django(self, environ, start_response):
        self.asked.append(environ["QUERY_STRING"])
        return django(environ, start_response)

    @property
    def memory(self):
        return self.application._worker.guard.memory

    async def visit(self, position="", query="", until=b"", **headers):
        """A stream that is opened, and left as soon as it has said something: its status and
        position."""
        sent, left = [], asyncio.Event()

        async def receive():
            if not sent:
                return {"type": "http.request"}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if until in message.get("body", b"") != b"":
                left.set()

        headers = {"authorization": f"Token {self._token}", **headers}
        if position:
            headers["last-event-id"] = position
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/events/",
            "query_string": f"channel={self.channel}{query}".encode(),
            "headers": [
                (b"host", b"testserver"),
                (b"accept", b"text/event-stream"),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
        }
        async with asyncio.timeout(DEADLINE):
            await self.application(scope, receive, send)
        found = re.search(rb"id: (\S+)\nevent: stream-open", sent[1]["body"])
        return sent[0], found and found[1].decode()


@asynccontextmanager
async def running(channel, token):
    site = Site(channel, token)
    await site.application._started()
    try:
        yield site
    finally:
        await site.application._worker.stop()


async def in_thread(function, *args):
    def call():
        try:
            function(*args)
        finally:
            connections.close_all()

    await asyncio.to_thread(call)


async def until(condition):
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)


def unnamed(start):
    """The beginning of an answer, without the id of its request."""
    headers = [header for header in start["headers"] if header[0] != b"x-request-id"]
    return {**start, "headers": headers}
