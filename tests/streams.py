"""A stream's reader for tests, on a parser that this project did not write."""

import json
import queue
import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Self

import httpx
from httpx_sse import ServerSentEvent, connect_sse

from tests.servers import DEADLINE

PROTOCOL = ("stream-open", "stream-reset", "stream-error", "keep-alive")


class Ended(Exception):
    """The stream has ended; says why, as far as its reader knows."""


class Stream:
    """Reads a stream on a thread; events are taken one by one, waiting for them."""

    def __init__(
        self,
        url: str,
        channels: Iterable[str],
        *,
        token: str = "",
        last_event_id: str = "",
        params: dict[str, str] | None = None,
        cookies: dict[str, str] | None = None,
    ) -> None:
        self.last_event_id = last_event_id
        self.response: httpx.Response | None = None
        self._reason = "in good order"
        self._queue: queue.Queue[ServerSentEvent | None] = queue.Queue()
        headers = {"Authorization": f"Token {token}"} if token else {}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        query = [("channel", name) for name in channels] + list((params or {}).items())
        self._client = httpx.Client(headers=headers, cookies=cookies, timeout=DEADLINE)
        self._thread = threading.Thread(target=self._read, args=(url, query), daemon=True)
        self._thread.start()

    def _read(self, url: str, query: list[tuple[str, str]]) -> None:
        try:
            with connect_sse(self._client, "GET", f"{url}/api/events/", params=query) as source:
                self.response = source.response
                source.response.raise_for_status()
                for event in source.iter_sse():
                    self._queue.put(event)
        except (httpx.TransportError, httpx.HTTPStatusError, httpx.StreamError) as error:
            self._reason = repr(error)
        finally:
            self._client.close()
            self._queue.put(None)

    def next(self, timeout: float = DEADLINE) -> ServerSentEvent:
        """The next event of any kind; raises `Ended` if there is none to come."""
        try:
            event = self._queue.get(timeout=timeout)
        except queue.Empty:
            raise AssertionError(f"No event came within {timeout:g} s") from None
        if event is None:
            self._queue.put(None)
            raise Ended(self._reason)
        if event.id:
            self.last_event_id = event.id
        return event

    def opened(self) -> Self:
        """Takes the first event, which says that the stream is open."""
        event = self.next()
        assert event.event == "stream-open", event
        return self

    @classmethod
    def reopened(cls, *arguments: Any, **options: Any) -> Self:
        """A stream that is open, tried again until it is, as an EventSource does it: whoever comes
        back while a proxy or a server still starts may be sent away, but not by an error."""
        while True:
            stream = cls(*arguments, **options)
            try:
                return stream.opened()
            except Ended:
                stream.close()
                if stream.response is not None and stream.response.status_code != 200:
                    raise

    def until(self, wanted: Callable[[ServerSentEvent], bool]) -> list[ServerSentEvent]:
        """All events up to the first that is wanted, without keep-alives."""
        found = []
        while True:
            event = self.next()
            if event.event != "keep-alive" or wanted(event):
                found.append(event)
            if wanted(event):
                return found

    def change(self) -> tuple[str, dict[str, Any]]:
        """The type and the message of the next event that is a change."""
        event = self.until(lambda event: event.event not in PROTOCOL)[-1]
        return event.event, json.loads(event.data)

    def rest(self) -> list[ServerSentEvent]:
        """Everything up to the stream's end."""
        found = []
        try:
            while True:
                found.append(self.next())
        except Ended:
            return found

    def close(self) -> None:
        """Leaves the stream, as one does whose network breaks."""
        if self.response is not None and not self.response.is_closed:
            connection = self.response.extensions["network_stream"].get_extra_info("socket")
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()
