"""A replica: what a client knows, from snapshots and a stream alone."""

import json
import random
import threading
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
from httpx_sse import ServerSentEvent, connect_sse

PAUSE = 0.05
"""Seconds until the next attempt, where nobody answers."""


class Reopen(Exception):
    """The stream has to be opened again, with other channels or after a break."""


class Away(Exception):
    """The server is not there now, or its database is not."""


class Received(NamedTuple):
    """An event, as it came."""

    channel: str
    event_id: str
    moment: float


class Covered(NamedTuple):
    """Which channels were followed, from after which number on, up to which."""

    channels: frozenset[str]
    start: int
    end: int


def seq(event_id: str) -> int:
    """The number in an id. Only the oracle looks into ids; a client never should."""
    return int(event_id.partition("-")[0])


class Replica:
    """Follows all that one user sees, on one of several servers that share a database. It breaks
    its connection at random, and goes to another server when one is away."""

    def __init__(
        self,
        urls: Sequence[str],
        username: str,
        token: str,
        seed: int,
        *,
        breaks: float = 0.01,
        silence: float = 60,
    ) -> None:
        self.name = f"{username} {seed}"
        self.lists: dict[int, Any] = {}
        self.items: dict[int, Any] = {}
        self.channels: set[str] = set()
        self.position = ""
        self.received: list[Received] = []
        """Every event since the first snapshot, in order."""
        self.covered: list[Covered] = []
        self.resumes = self.resets = self.snapshots = 0
        self.silences = 0
        """How often a stream said nothing for longer than `silence` seconds."""
        self.failure: BaseException | None = None
        self._lost = True
        """Whether it has to begin with a snapshot, for it can't go on from its position."""
        self._unloaded: set[str] = set()
        """Channels of lists that have come to be seen, and whose items are still to be read."""
        self._breaks = breaks
        self._stopping = threading.Event()
        self._random = random.Random(seed)
        self._urls = list(urls)
        self._client = httpx.Client(
            headers={"Authorization": f"Token {token}"}, timeout=httpx.Timeout(silence, connect=5)
        )
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def calm(self) -> None:
        """Breaks no more connections."""
        self._breaks = 0.0

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(30)
        self._client.close()

    def fresh(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """What the database says now."""
        lists, _ = self._get("/api/todo-lists/")
        items, _ = self._get("/api/todo-items/")
        return lists, items

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                try:
                    self._go_on()
                except Reopen:
                    self.resumes += 1
                except (httpx.TransportError, Away) as error:
                    self.resumes += 1
                    self.silences += isinstance(error, httpx.ReadTimeout)
                    self._random.shuffle(self._urls)
                    self._stopping.wait(PAUSE)
        except BaseException as failure:
            self.failure = failure

    def _go_on(self) -> None:
        if self._lost:
            self._snapshot()
            self._lost = False
        for name in list(self._unloaded):
            self._load(name)
            self._unloaded.discard(name)
        self._follow()

    # What is read

    def _get(self, path: str) -> tuple[dict[int, Any], httpx.Response]:
        first = answer = self._ask(self._urls[0] + path, limit=1000)
        rows = list(answer.json()["results"])
        while answer.json()["next"]:
            answer = self._ask(answer.json()["next"])
            rows += answer.json()["results"]
        return {row["id"]: row for row in rows}, first

    def _ask(self, url: str, **params: Any) -> httpx.Response:
        answer = self._client.get(httpx.URL(url).copy_merge_params(params))
        if answer.status_code == 503:
            raise Away
        return answer.raise_for_status()

    def _snapshot(self) -> None:
        # The lists' position is the older one: what the items show beyond it comes again, in order.
        lists, answer = self._get("/api/todo-lists/")
        items, _ = self._get("/api/todo-items/")
        link = answer.links["stream"]
        self.lists, self.items, self.position = lists, items, link["last-event-id"]
        self.channels = set(httpx.URL(link["url"]).params.get_list("channel"))
        self.channels |= {f"private-todo-list.{pk}" for pk in self.lists}
        self._unloaded.clear()
        self.snapshots += 1

    def _load(self, name: str) -> None:
        pk = int(name.rpartition(".")[2])
        items, _ = self._get(f"/api/todo-items/?todo_list={pk}")
        self.items = {k: i for k, i in self.items.items() if i["todo_list"] != pk} | items

    # What is told

    def _follow(self) -> None:
        before = frozenset(self.channels)
        start = seq(self.position)
        params = [("channel", name) for name in sorted(self.channels)]
        headers = {"Last-Event-ID": self.position}
        with connect_sse(
            self._client, "GET", f"{self._urls[0]}/api/events/", params=params, headers=headers
        ) as source:
            if source.response.status_code == 403:
                # A list went while nobody was looking.
                self._lost = True
                return
            if source.response.status_code == 503:
                raise Away
            source.response.raise_for_status()
            try:
                for event in source.iter_sse():
                    self._take(event)
                    if self._stopping.is_set() or self._random.random() < self._breaks:
                        raise Reopen
            finally:
                self.covered.append(Covered(before, start, seq(self.position)))

    def _take(self, event: ServerSentEvent) -> None:
        if event.event == "stream-reset":
            self.resets += 1
            self._lost = True
            raise Reopen
        if event.event in ("stream-open", "keep-alive"):
            self.position = event.id or self.position
            return
        if not event.data:
            return  # Only a delay, before the stream is drained.
        message = json.loads(event.data)
        if event.event == "stream-error":
            self.channels -= set(message["channels"])
            raise Reopen
        if not event.id:
            return
        assert seq(event.id) > seq(self.position), f"{event.id} after {self.position}"
        self.position = event.id
        self.received.append(Received(message["channel"], event.id, time.time()))
        self._apply(event.event, message["channel"], message["data"])

    def _apply(self, kind: str, channel: str, data: Any) -> None:
        model, _, action = kind.rpartition(".")
        own = channel.startswith("private-user.")
        if model == "todo-list" and action in ("left", "deleted"):
            # On a list's own channel it is deleted for everybody, on a user's it is for the user.
            self._remove_list(data["id"])
        elif model == "todo-list" and (own or data["id"] in self.lists):
            self._add_list(data)
        elif model == "todo-item" and action in ("left", "deleted"):
            pk = int(channel.rpartition(".")[2])
            if data["id"] in self.items and self.items[data["id"]]["todo_list"] == pk:
                del self.items[data["id"]]
        elif model == "todo-item":
            self.items[data["id"]] = data

    def _add_list(self, row: Any) -> None:
        known = row["id"] in self.lists
        self.lists[row["id"]] = row
        if not known:
            name = f"private-todo-list.{row['id']}"
            self.channels.add(name)
            self._unloaded.add(name)
            raise Reopen

    def _remove_list(self, pk: int) -> None:
        self.lists.pop(pk, None)
        self.items = {k: item for k, item in self.items.items() if item["todo_list"] != pk}
        name = f"private-todo-list.{pk}"
        self._unloaded.discard(name)
        if name in self.channels:
            self.channels.discard(name)
            raise Reopen
