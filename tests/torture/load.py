"""Load whose every write and delivery is noted: writers by REST and by ORM, readers by SSE.

Moments are of the machine's monotonic clock, which all its processes share.
"""

import contextlib
import itertools
import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

import httpx
from httpx_sse import connect_sse

from tests.servers import ROOT, Server, wait_until

_COUNTER = itertools.count()

# Writes until its input ends, and prints each write's text and moments.
_ORM_WRITER = """
import select, sys, time
from django.db import DatabaseError
from todos.models import TodoItem
n = 0
while not select.select([sys.stdin], [], [], {pause})[0]:
    n += 1
    text, begun = f"{name} {{n}}", time.monotonic()
    try:
        TodoItem.objects.create(todo_list_id={todo_list}, text=text)
        status = 201
    except DatabaseError as error:
        status = 503
    print(text, status, begun, time.monotonic(), sep="|", flush=True)
"""


@dataclass(slots=True)
class Write:
    """An item that somebody has tried to add."""

    text: str
    begun: float
    answered: float
    status: int
    """Of the answer; 0 if there was none."""

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self.answered - self.begun

    @property
    def committed(self) -> float:
        """A moment that is not later than the commit by more than the answer takes."""
        return self.answered if self.status == 201 else self.begun


@dataclass(slots=True)
class Arrival:
    """An event that a reader was sent."""

    moment: float
    event_id: str
    text: str


class RestWriter:
    """Adds items by REST on a thread, one after the other, whatever the answers are. With several
    servers, it goes to the next one when it can't connect."""

    def __init__(self, *servers: Server, todo_list: int, pause: float = 0.03) -> None:
        self.writes: list[Write] = []
        self.turned_away = 0
        """How often it had to try another server."""
        self._name = f"rest{next(_COUNTER)}"
        self._todo_list = todo_list
        self._pause = pause
        self._urls = [server.url for server in servers]
        self._client = servers[0].client()
        self._client.timeout = httpx.Timeout(60)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends after the write that is on its way."""
        self._stopping.set()
        self._thread.join(70)
        self._client.close()

    def _run(self) -> None:
        for n in itertools.count():
            if self._stopping.wait(self._pause):
                return
            text, begun = f"{self._name} {n}", time.monotonic()
            status = self._write(text)
            self.writes.append(Write(text, begun, time.monotonic(), status))

    def _write(self, text: str) -> int:
        body = {"todo_list": self._todo_list, "text": text}
        for _ in self._urls:
            try:
                url = f"{self._urls[0]}/api/todo-items/"
                return self._client.post(url, json=body).status_code
            except httpx.ConnectError:
                self.turned_away += 1
                self._urls.append(self._urls.pop(0))
            except httpx.TransportError:
                return 0
        return 0


class OrmWriter:
    """Adds items in a process of its own, as a management command or a queue's worker does."""

    def __init__(self, server: Server, todo_list: int, *, pause: float = 0.03) -> None:
        self.writes: list[Write] = []
        code = _ORM_WRITER.format(name=f"orm{next(_COUNTER)}", todo_list=todo_list, pause=pause)
        self._command = [sys.executable, "manage.py", "shell", "-v0", "-c", code]
        self._environ = server.environ
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def start(self) -> Self:
        self._process = subprocess.Popen(
            self._command, env=self._environ, cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._thread.start()
        return self

    def stop(self) -> None:
        """Ends after the write that is on its way."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(70)
        self._thread.join(10)

    def _read(self) -> None:
        assert self._process is not None
        with contextlib.closing(self._process.stdout) as output:
            for line in output:
                if line.count("|") == 3:  # All else is the server's own log.
                    text, status, begun, answered = line.split("|")
                    self.writes.append(Write(text, float(begun), float(answered), int(status)))


class Reader:
    """Follows a channel on a thread; comes back, where it was, whenever its stream breaks: soon, or
    if it `obeys` when the stream has told it to, as browsers do. With several servers, it goes to
    the next one when it can't connect."""

    def __init__(self, *servers: Server, channel: str, obeys: bool = False) -> None:
        self.arrivals: list[Arrival] = []
        self.resets: list[float] = []
        self.breaks = 0
        self.start_id = ""
        self.opened = threading.Event()
        self._position = ""
        self._channel = channel
        self._obeys = obeys
        self._pause = 0.05
        self._urls = [server.url for server in servers]
        headers = {"Authorization": f"Token {servers[0].token()}"}
        self._client = httpx.Client(headers=headers, timeout=httpx.Timeout(20, connect=5))
        self._stopping = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        if not self.opened.wait(20):
            raise AssertionError("A stream did not open")
        return self

    def stop(self) -> None:
        """Ends at the next event; with keep-alives, that is soon."""
        self._stopping = True
        self._thread.join(30)
        self._client.close()

    def _run(self) -> None:
        while not self._stopping:
            for _ in self._urls:
                try:
                    self._follow()
                except httpx.ConnectError:
                    self._urls.append(self._urls.pop(0))
                    continue
                except (httpx.TransportError, httpx.HTTPStatusError):
                    pass
                break
            self.breaks += 1
            threading.Event().wait(self._pause)

    def _follow(self) -> None:
        headers = {"Last-Event-ID": self._position} if self._position else {}
        params = {"channel": self._channel}
        with connect_sse(
            self._client, "GET", f"{self._urls[0]}/api/events/", params=params, headers=headers
        ) as source:
            source.response.raise_for_status()
            for event in source.iter_sse():
                if self._obeys and event.retry is not None:
                    self._pause = event.retry / 1000
                self._take(event.event, event.id, event.data)
                if self._stopping:
                    return

    def _take(self, kind: str, event_id: str, data: str) -> None:
        now = time.monotonic()
        if event_id:
            self._position = event_id
        if kind == "stream-open":
            self.start_id = self.start_id or event_id
            self.opened.set()
        elif kind == "stream-reset":
            self.resets.append(now)
        elif kind == "todo-item.created":
            self.arrivals.append(Arrival(now, event_id, json.loads(data)["data"]["text"]))


@dataclass
class Load:
    """Writers and readers that work at the same time, and what came of it."""

    server: Server
    """By which the list was made, and whose database is the truth."""
    todo_list: int
    writers: list[RestWriter | OrmWriter] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=list)

    @classmethod
    def on(
        cls, server: Server, *, write: Iterable[Server], read: Iterable[Server], orm: int = 0
    ) -> Self:
        """Makes a list, and starts a writer and a reader for each of the servers named."""
        with server.client() as api:
            pk = api.post("/api/todo-lists/", json={"name": "load"}).raise_for_status().json()["id"]
        load = cls(server, pk)
        load.readers += [Reader(one, channel=f"private-todo-list.{pk}").start() for one in read]
        load.writers += [RestWriter(one, todo_list=pk).start() for one in write]
        load.writers += [OrmWriter(server, pk).start() for _ in range(orm)]
        return load

    @classmethod
    def on_any(cls, servers: Sequence[Server], *, write: int, read: int) -> Self:
        """Makes a list, and starts writers and readers that take any of the servers: they begin
        with each in turn."""
        load = cls.on(servers[0], write=[], read=[])
        channel = f"private-todo-list.{load.todo_list}"
        turns = [[*servers[n:], *servers[:n]] for n in range(len(servers))]
        for n in range(read):
            one = Reader(*turns[n % len(turns)], channel=channel, obeys=True)
            load.readers.append(one.start())
        for n in range(write):
            other = RestWriter(*turns[n % len(turns)], todo_list=load.todo_list)
            load.writers.append(other.start())
        return load

    @property
    def writes(self) -> list[Write]:
        """All writes that have come to their end."""
        return [write for writer in self.writers for write in list(writer.writes)]

    def stop_writing(self) -> None:
        for writer in self.writers:
            writer.stop()

    def stop(self) -> None:
        """Ends the writers, lets the readers get what there is, and ends them."""
        self.stop_writing()
        try:
            wait_until(self.has_arrived, "all events to arrive", timeout=30)
        finally:
            for reader in self.readers:
                reader.stop()

    def has_arrived(self) -> bool:
        """Whether every reader has what the log has."""
        log = self.log()
        return all(number is not None for number, *_ in log) and all(
            len(reader.arrivals) >= len(log) for reader in self.readers
        )

    def log(self) -> list[tuple[int | None, str, str]]:
        """Number, nonce and text of the events on the list's channel, in order."""
        rows = self.server.query(
            "SELECT seq, nonce, data FROM realtime_event"
            f" WHERE channel = 'private-todo-list.{self.todo_list}'"
            " AND type = 'todo-item.created' ORDER BY seq"
        )
        return [(seq, nonce, json.loads(data)["text"]) for seq, nonce, data in rows]

    def check(self) -> None:
        """Fails unless each reader got each event once, in order, and each write is what it was
        said to be."""
        log = self.log()
        expected = [(f"{seq}-{nonce}", text) for seq, nonce, text in log]
        for reader in self.readers:
            assert not reader.resets
            assert [(one.event_id, one.text) for one in reader.arrivals] == expected
        rows = self.server.query(
            f"SELECT text FROM todos_todoitem WHERE todo_list_id = {self.todo_list}"
        )
        assert sorted(text for (text,) in rows) == sorted(text for _, text in expected)
        written = {text for _, text in expected}
        assert {write.text for write in self.writes if write.status == 201} <= written
        # What was answered by 5xx may have been committed: nobody could tell any more.
        assert not written & {write.text for write in self.writes if 400 <= write.status < 500}
        numbers = [seq for (seq,) in self.server.query("SELECT seq FROM realtime_event")]
        assert sorted(numbers) == list(range(1, len(numbers) + 1))

    def delays(self, readers: Iterable[Reader] | None = None) -> dict[str, float]:
        """For each write that has arrived, by its text, the seconds until the last of these readers
        had it."""
        last: dict[str, float] = defaultdict(float)
        for reader in self.readers if readers is None else readers:
            for arrival in list(reader.arrivals):
                last[arrival.text] = max(last[arrival.text], arrival.moment)
        return {
            write.text: max(0.0, last[write.text] - write.committed)
            for write in self.writes
            if write.text in last
        }

    def figures(self, start: float = 0.0, end: float = float("inf")) -> "Figures":
        """Of the writes that began between two moments."""
        writes = [write for write in self.writes if start <= write.begun < end]
        delays = self.delays()
        waited = [delays[write.text] for write in writes if write.text in delays]
        return Figures(
            len(writes),
            sum(write.status != 201 for write in writes),
            percentile([write.seconds for write in writes], 0.99),
            percentile(waited, 0.99),
            max(waited, default=0.0),
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What happened to the writes of a stretch of time."""

    writes: int
    failed: int
    write_p99: float
    delay_p99: float
    delay_max: float

    def __str__(self) -> str:
        return (
            f"{self.writes} writes, {self.failed} failed, write p99 {ms(self.write_p99)},"
            f" delivery p99 {ms(self.delay_p99)}, at most {ms(self.delay_max)}"
        )


def percentile(values: Iterable[float], share: float) -> float:
    """The value that this share of all values does not exceed; 0 if there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


def ms(seconds: float) -> str:
    """As it is written in a table."""
    return f"{seconds * 1000:.0f} ms" if seconds < 10 else f"{seconds:.1f} s"
