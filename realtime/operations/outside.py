"""Looks at a running server from outside, through whatever stands before it."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

from django.urls import reverse

from realtime import probes, triggers
from realtime.conf import settings
from realtime.operations.findings import OK, PROBLEM, WARNING, Finding
from realtime.plain import one_line, reason

_PROMPT = 3.0
"""Seconds within which what was sent must be here."""
_CONNECT = 5.0


_BUFFERED = Finding(
    PROBLEM,
    "stream",
    f"Nothing has come within {_PROMPT:g} s: something before the server buffers.",
    "Turn buffering off there (nginx: proxy_buffering off, or let X-Accel-Buffering pass).",
)


class Lost(Exception):
    """The server's end of a stream was heard, or nothing more is to be had."""


class Stream:
    """A stream as it comes, nothing decoded."""

    def __init__(self, url: str, last_event_id: str = "") -> None:
        """Raises `TimeoutError` if nothing has come in time, not even its head."""
        headers = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, br, deflate"}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self._connection, self._socket = _connected(url)
        try:
            self._socket.settimeout(_PROMPT)
            self.answer = _asked(self._connection, url, headers)
        except BaseException:
            self._connection.close()
            raise
        self.text = ""

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *args: object) -> None:
        self.answer.close()
        self._connection.close()

    def until(self, wanted: str, seconds: float) -> float:
        """Reads until there is a line `wanted`; how many seconds that took. Raises `TimeoutError`,
        or `Lost` if the stream ended before."""
        began = time.monotonic()
        while f"\n{wanted}" not in f"\n{self.text}":
            left = began + seconds - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._read(left)
        return time.monotonic() - began

    def _read(self, seconds: float) -> None:
        # Not the connection's own: it lets go of the socket once an answer is to be its last.
        self._socket.settimeout(seconds)
        try:
            data = self.answer.read1(65536)
        except TimeoutError:
            raise
        except (HTTPException, OSError) as error:
            raise Lost(reason(error)) from error
        if not data:
            raise Lost("the connection ended")
        self.text += data.decode(errors="replace")

    def first_id(self) -> str:
        """The id of the first event."""
        return next((line[4:] for line in self.text.splitlines() if line.startswith("id: ")), "")


def examine(base: str, patience: float) -> Iterator[Finding]:
    """Everything that can be seen at a server's address. `patience` is how long a quiet stream is
    watched, in seconds."""
    try:
        yield from _health(base)
        yield from _stream(base, patience)
    except (HTTPException, OSError) as error:
        text = f"It can't be reached: {reason(error)}."
        yield Finding(PROBLEM, "server", text, "Look at the address, and whether it runs.")


def _connected(url: str) -> tuple[HTTPConnection, socket.socket]:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_CONNECT)
    try:
        connection.connect()
    except TimeoutError as error:
        raise ConnectionError(f"no connection within {_CONNECT:g} s") from error
    return connection, connection.sock


def _asked(connection: HTTPConnection, url: str, headers: dict[str, str]) -> HTTPResponse:
    parts = urlsplit(url)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.request("GET", target, headers=headers)
    return connection.getresponse()


def _health(base: str) -> Iterator[Finding]:
    url = f"{base}/healthz"
    connection, _ = _connected(url)
    with closing(connection):
        answer = _asked(connection, url, {})
        data = answer.read()
    told = None
    with suppress(ValueError):
        told = json.loads(data)
    if not isinstance(told, dict) or "checks" not in told:
        text = f"/healthz answers {answer.status}, and not as this server does."
        yield Finding(PROBLEM, "server", text, "Is this the right address?")
        return
    if answer.status == 200:
        yield Finding(OK, "server", "/healthz says that database, log and broker work.")
    for part, state in told["checks"].items():
        if state.get("status") != "ok":
            text = f"/healthz says of the {part}: {one_line(str(state.get('reason')))}"
            yield Finding(PROBLEM, "server", text, "The server's log says more.")


def _stream(base: str, patience: float) -> Iterator[Finding]:
    channel = probes.name()
    url = f"{base}{reverse('realtime:stream')}?channel={channel}"
    began = time.monotonic()
    try:
        stream = Stream(url)
    except TimeoutError:
        yield _BUFFERED
        return
    with stream:
        answer = stream.answer
        if answer.status != 200:
            yield _refused(answer)
            return
        yield from _headers(answer)
        if answer.headers.get("Content-Encoding"):
            return
        try:
            stream.until("event: stream-open", _PROMPT)
            took = time.monotonic() - began
            yield Finding(OK, "stream", f"Its first event came within {took * 1000:.0f} ms.")
            position = stream.first_id()
            triggers.trigger(channel, "probe", {"n": 1})
            took = stream.until("event: probe", _PROMPT)
            yield Finding(OK, "stream", f"An event came within {took * 1000:.0f} ms.")
            yield from _resumption(url, position)
            yield from _quiet(stream, patience)
        except TimeoutError:
            yield from _held_back(stream)
        except Lost as lost:
            yield _cut(lost)


def _refused(answer: HTTPResponse) -> Finding:
    where = answer.headers.get("Location")
    if where:
        text = f"The stream's address redirects to {one_line(where)}."
        return Finding(PROBLEM, "stream", text, "Name the address that clients use.")
    if answer.status in (401, 403):
        return Finding(
            PROBLEM,
            "stream",
            f"The server answers {answer.status}.",
            "Run this with the server's SECRET_KEY: by that it knows the doctor.",
        )
    advice = "Look at ALLOWED_HOSTS and at the server's log."
    return Finding(PROBLEM, "stream", f"The server answers {answer.status}.", advice)


def _headers(answer: HTTPResponse) -> Iterator[Finding]:
    if encoding := answer.headers.get("Content-Encoding"):
        yield Finding(
            PROBLEM,
            "stream",
            f"Something before the server compresses it ({one_line(encoding)}).",
            "Have it leave text/event-stream alone: a compressor holds events back.",
        )
    if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
        text = f"Its Content-Type is {one_line(answer.headers.get('Content-Type', ''))}."
        yield Finding(PROBLEM, "stream", text, "Browsers take nothing but text/event-stream.")
    if "no-transform" not in answer.headers.get("Cache-Control", ""):
        text = "Something before the server has changed its Cache-Control."
        yield Finding(WARNING, "stream", text, "Let it pass: it keeps caches and compressors off.")


def _resumption(url: str, position: str) -> Iterator[Finding]:
    with Stream(url, position) as stream:
        try:
            stream.until("event: stream-open", _PROMPT)
            stream.until("event: probe", _PROMPT)
        except TimeoutError:
            yield Finding(
                PROBLEM,
                "stream",
                "Last-Event-ID does not get through: who comes back would miss events.",
                "Have the proxy pass that header on.",
            )
        else:
            yield Finding(OK, "stream", "Last-Event-ID gets through, and what was missed came.")


def _quiet(stream: Stream, patience: float) -> Iterator[Finding]:
    """Keep-alives must come while nothing else does, and the stream live from one to the next."""
    longest = 2 * settings.KEEP_ALIVE
    if patience < longest:
        yield Finding(
            WARNING,
            "stream",
            "Whether something cuts it while it is quiet was not looked at: --patience is"
            f" {patience:g} s, two keep-alives may take {longest:g} s.",
            "Leave out --patience.",
        )
        return
    began = time.monotonic()
    try:
        # The first one comes at any moment of the server's interval: only from there to the next
        # one is the stream quiet for all of it.
        _keep_alive(stream, patience)
        took = _keep_alive(stream, began + patience - time.monotonic())
    except TimeoutError:
        text = f"Two keep-alives did not come within {patience:g} s."
        advice = "Has the server this REALTIME_KEEP_ALIVE? Else something holds events back."
        yield Finding(PROBLEM, "stream", text, advice)
    else:
        text = f"Two keep-alives came, {took:.1f} s apart; the stream was not cut."
        yield Finding(OK, "stream", text)


def _keep_alive(stream: Stream, seconds: float) -> float:
    """Reads until there is another one; seconds."""
    stream.text = ""
    return stream.until("event: keep-alive", seconds)


def _held_back(stream: Stream) -> Iterator[Finding]:
    """Something did not come in time. What is slow is told from what never comes."""
    if stream.first_id():
        advice = "Does the server use this database? Else something holds events back."
        yield Finding(PROBLEM, "stream", "An event did not come in time.", advice)
        return
    yield _BUFFERED


def _cut(lost: Lost) -> Finding:
    return Finding(
        PROBLEM,
        "stream",
        f"It was cut: {one_line(str(lost))}.",
        "Raise what cuts quiet connections above 30 s (nginx: proxy_read_timeout).",
    )
