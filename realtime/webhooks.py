"""Webhooks: tells other servers what happens on channels.

Pusher's "Webhooks": signed POSTs, each with several events, tried again for five minutes. Each
receiver has a thread and a bounded buffer of its own, so that one which is slow or dead holds up
nobody: neither those who notify nor the other receivers. What waits is in memory: it survives
a receiver's restart, and not the sudden death of this process.
"""

import atexit
import logging
import random
import threading
import time
from collections import deque
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from realtime import meters
from realtime.conf import pusher_app, settings, webhook_urls
from realtime.events import dumps
from realtime.signatures import App

logger = logging.getLogger(__name__)

PATIENCE = 295.0
"""Seconds for which an event is tried. Beyond 300, Pusher's libraries take it for a replay."""
FAREWELL = 2.0
"""Seconds that the end of the process is put off, for what still waits."""

_TOGETHER = 0.1
"""Seconds in which events are gathered for one request."""
_MOST = 100
"""Events in one request."""
_TIMEOUT = 10.0
"""Seconds after which a receiver that says nothing is given up."""
_FIRST_DELAY, _LAST_DELAY = 0.5, 10.0
"""Seconds between two attempts; each delay is twice the one before."""

_DELIVERED, _LOST = meters.WEBHOOKS.slot("delivered"), meters.WEBHOOKS.slot("lost")

_receivers: dict[str, "Receiver"] = {}
_lock = threading.Lock()


def notify(name: str, **fields: Any) -> None:
    """Tells all receivers of an event, soon. From any thread; never blocks, never raises.

    `name` and `fields` are those of Pusher's, as in ``notify("channel_occupied", channel="a")``.
    """
    urls, app = webhook_urls(), pusher_app()
    if not urls or app is None:
        return
    event = dumps({"name": name, **fields})
    for url in urls:
        _receiver(url, app).put(event)


def waiting() -> int:
    """How many events wait for their receivers."""
    with _lock:
        receivers = list(_receivers.values())
    return sum(receiver.waiting for receiver in receivers)


def close(patience: float = FAREWELL) -> None:
    """Tries once more what waits, for at most `patience` seconds, and ends the threads."""
    with _lock:
        leaving = list(_receivers.values())
        _receivers.clear()
    deadline = time.monotonic() + patience
    for receiver in leaving:
        receiver.close(deadline)
    for receiver in leaving:
        receiver.join(max(0.0, deadline - time.monotonic()))


atexit.register(close)


def _receiver(url: str, app: App) -> "Receiver":
    with _lock:
        if url not in _receivers:
            # Started by the first event, in the process that has it: threads don't survive a fork.
            _receivers[url] = Receiver(url, app, settings.WEBHOOK_BUFFER)
            _receivers[url].start()
        return _receivers[url]


class Receiver(threading.Thread):
    """One URL, and what it has yet to be told."""

    def __init__(self, url: str, app: App, limit: int) -> None:
        super().__init__(name="realtime-webhook", daemon=True)
        self._url = url
        # Not with a password, for the log.
        self._shown = _shown(url)
        self._app = app
        self._limit = limit
        self._waiting: deque[tuple[float, str]] = deque()
        self._size = 0
        self._sending = 0
        self._changed = threading.Condition()
        self._deadline: float | None = None
        """When this process ends, once that is known."""

    @property
    def waiting(self) -> int:
        """How many events it has yet to be told, those included that are on their way."""
        return len(self._waiting) + self._sending

    def put(self, event: str) -> None:
        """Appends an event, JSON text; the oldest is dropped if it is too much."""
        dropped = 0
        with self._changed:
            self._waiting.append((time.time(), event))
            self._size += len(event)
            while self._size > self._limit and len(self._waiting) > 1:
                self._size -= len(self._waiting.popleft()[1])
                dropped += 1
            self._changed.notify()
        if dropped:
            meters.count(_LOST, dropped)
            logger.error("Webhook %s: too much waits, %d events are lost", self._shown, dropped)

    def close(self, deadline: float) -> None:
        """Has the thread end once it has tried everything, or at the `deadline`."""
        with self._changed:
            self._deadline = deadline
            self._changed.notify()

    def run(self) -> None:
        while batch := self._next():
            self._deliver(batch)
            self._sending = 0

    def _next(self) -> list[tuple[float, str]]:
        """The next events to tell, waiting for some; none if there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._deadline)
            self._changed.wait_for(
                lambda: len(self._waiting) >= _MOST or self._deadline, timeout=_TOGETHER
            )
            count = self._sending = min(len(self._waiting), _MOST)
            batch = [self._waiting.popleft() for _ in range(count)]
            self._size -= sum(len(event) for _, event in batch)
            return batch

    def _deliver(self, batch: list[tuple[float, str]]) -> None:
        first = batch[0][0]
        body = _body(first, [event for _, event in batch])
        delay = _FIRST_DELAY
        while True:
            ending = self._deadline is not None
            if (problem := self._post(body)) is None:
                meters.count(_DELIVERED, len(batch))
                return
            meters.count(meters.WEBHOOKS_FAILED.first)
            left = first + PATIENCE - time.time()
            if left <= 0 or ending:
                meters.count(_LOST, len(batch))
                logger.error("Webhook %s: %d events are lost: %s", self._shown, len(batch), problem)
                return
            logger.warning("Webhook %s fails, trying again: %s", self._shown, problem)
            self._pause(min(delay * random.uniform(0.5, 1.0), left))  # noqa: S311 - spreads load
            delay = min(2 * delay, _LAST_DELAY)

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._deadline, timeout=seconds)

    def _post(self, body: bytes) -> str | None:
        """What went wrong, if something did."""
        timeout = _TIMEOUT
        if self._deadline is not None:
            timeout = self._deadline - time.monotonic()
            if timeout <= 0:
                return "this process ends"
        headers = {
            "Content-Type": "application/json",
            "X-Pusher-Key": self._app.key,
            "X-Pusher-Signature": self._app.sign(body),
        }
        request = Request(self._url, body, headers)  # noqa: S310 - the schemes were checked
        try:
            with _opener.open(request, timeout=timeout) as answer:
                return None if answer.status < 300 else f"status {answer.status}"
        except HTTPError as error:
            error.close()
            return f"status {error.code}"
        except Exception as error:  # A receiver may answer whatever it likes.
            return repr(error)


def _shown(url: str) -> str:
    """An address without what may be secret in it: names, passwords and query."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or parts.scheme}{parts.path}"


def _body(moment: float, events: list[str]) -> bytes:
    return f'{{"time_ms":{int(moment * 1000)},"events":[{",".join(events)}]}}'.encode()


class _NoRedirect(HTTPRedirectHandler):
    """A redirected POST would come as a GET: it is a failure."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


_opener = build_opener(_NoRedirect)
