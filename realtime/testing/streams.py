"""A client of streams for Django's test cases."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from asgiref.sync import sync_to_async
from django.urls import reverse
from django.utils.http import urlencode

from realtime.conf import settings
from realtime.testing.publishing import settle

_LINK = re.compile(r'<([^>]*)>; rel="stream"; last-event-id="([^"]*)"')


class StreamRefused(AssertionError):
    """The stream was answered with another status than 200; `status` says with which."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Received:
    """A change, as a stream brings it."""

    id: str
    type: str
    channel: str
    data: Any
    changed: tuple[str, ...] | None = None
    mutation: str | None = None


class Stream:
    """A stream that is opened by one of Django's test clients, or REST framework's: with its
    session, its credentials, its rights.

    A test client holds no connection. So each `read` comes back to the real view from where the
    one before it ended, as a browser does whose connection breaks after every event: it brings
    what has happened meanwhile, once and in order. `reset` is why the last one could not do so,
    as ``stream-reset`` says it.
    """

    def __init__(self, client: Any, *channels: str, last_event_id: str = "") -> None:
        """Opens it; raises `StreamRefused`, as `read` does when a right has ended since."""
        self._client = client
        self.channels = channels
        self.last_event_id = last_event_id
        self.reset: str | None = None
        self._missed = self._come_back()

    @classmethod
    def of(cls, client: Any, response: Any) -> Self:
        """The stream that the ``Link`` header of a REST answer leads to: from the answer on."""
        found = _LINK.search(response.get("Link", ""))
        if found is None:
            raise AssertionError("The answer has no Link to a stream.")
        channels = parse_qs(urlsplit(found[1]).query)["channel"]
        return cls(client, *channels, last_event_id=found[2])

    def read(self) -> list[Received]:
        """What has come since the last time."""
        missed, self._missed = self._missed, []
        return missed + self._come_back()

    async def aread(self) -> list[Received]:
        """As `read`, for asynchronous tests."""
        return await sync_to_async(self.read)()

    def _come_back(self) -> list[Received]:
        settle()
        self.reset = None
        received: list[Received] = []
        page = None
        # A long replay takes several answers.
        while page is None or len(page) >= settings.REPLAY_PAGE:
            page = list(self._changes(self._answer()))
            received += page
        return received

    def _answer(self) -> str:
        query = urlencode([("channel", name) for name in self.channels])
        headers = {"Accept": "text/event-stream", "Last-Event-ID": self.last_event_id}
        response = self._client.get(f"{reverse('realtime:stream')}?{query}", headers=headers)
        text: str = response.content.decode()
        if response.status_code != 200:
            raise StreamRefused(response.status_code, text)
        return text

    def _changes(self, text: str) -> Iterator[Received]:
        for frame in text.split("\n\n"):
            fields = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line)
            self.last_event_id = fields.get("id", self.last_event_id)
            kind = fields.get("event", "stream-open")
            message = json.loads(fields.get("data", "{}"))
            if kind == "stream-reset":
                self.reset = message["reason"]
            elif kind != "stream-open":
                changed = message.get("changed")
                yield Received(
                    fields.get("id", ""),
                    kind,
                    message["channel"],
                    message["data"],
                    None if changed is None else tuple(changed),
                    message.get("mutation"),
                )
