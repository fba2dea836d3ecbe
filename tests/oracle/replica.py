"""A replica: what a client knows, from snapshots and a stream alone."""

import json
import random
import threading
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, connect_sse


class Reopen(Exception):
    """The stream has to be opened again, with other channels or after a break."""


def seq(event_id: str) -> int:
    """The number in an id. Only the oracle looks into ids; a client never should."""
    return int(event_id.partition("-")[0])


class Replica:
    """Follows all that one user sees, breaking its connection at random."""

    def __init__(self, url: str, username: str, token: str, seed: int) -> None:
        self.name = f"{username} {seed}"
        self.lists: dict[int, Any] = {}
        self.items: dict[int, Any] = {}
        self.channels: set[str] = set()
        self.position = ""
        self.received: list[tuple[str, str]] = []
        """Channel and id of every event since the first snapshot, in order."""
        self.covered: list[tuple[frozenset[str], int, int]] = []
        """Which channels were followed, from after which number on, up to which."""
        self.resumes = self.resets = 0
        self.failure: BaseException | None = None
        self._breaks = True
        self._stopping = False
        self._random = random.Random(seed)
        headers = {"Authorization": f"Token {token}"}
        self._client = httpx.Client(base_url=url, headers=headers, timeout=60)
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def calm(self) -> None:
        """Breaks no more connections."""
        self._breaks = False

    def stop(self) -> None:
        self._stopping = True
        self._thread.join(30)
        self._client.close()

    def fresh(self) -> tuple[dict[int, Any], dict[int, Any]]:
        """What the database says now."""
        lists, _ = self._get("/api/todo-lists/")
        items, _ = self._get("/api/todo-items/")
        return lists, items

    def _run(self) -> None:
        try:
            self._snapshot()
            while not self._stopping:
                try:
                    self._follow()
                except (Reopen, httpx.TransportError):
                    self.resumes += 1
        except BaseException as failure:
            self.failure = failure

    def _get(self, path: str) -> tuple[dict[int, Any], httpx.Response]:
        first = answer = self._client.get(path, params={"limit": 1000}).raise_for_status()
        rows = list(answer.json()["results"])
        while answer.json()["next"]:
            answer = self._client.get(answer.json()["next"]).raise_for_status()
            rows += answer.json()["results"]
        return {row["id"]: row for row in rows}, first

    def _snapshot(self) -> None:
        # The lists' position is the older one: what the items show beyond it comes again, in order.
        self.lists, answer = self._get("/api/todo-lists/")
        link = answer.links["stream"]
        self.position = link["last-event-id"]
        self.channels = set(httpx.URL(link["url"]).params.get_list("channel"))
        self.channels |= {f"private-todo-list.{pk}" for pk in self.lists}
        self.items, _ = self._get("/api/todo-items/")

    def _add_list(self, row: Any) -> None:
        known = row["id"] in self.lists
        self.lists[row["id"]] = row
        if not known:
            self.channels.add(f"private-todo-list.{row['id']}")
            raise Reopen

    def _remove_list(self, pk: int) -> None:
        self.lists.pop(pk, None)
        self.items = {k: item for k, item in self.items.items() if item["todo_list"] != pk}
        if f"private-todo-list.{pk}" in self.channels:
            self.channels.discard(f"private-todo-list.{pk}")
            raise Reopen

    def _load_new_lists(self, before: frozenset[str]) -> None:
        for name in self.channels - before:
            pk = name.rpartition(".")[2]
            items, _ = self._get(f"/api/todo-items/?todo_list={pk}")
            self.items = {k: i for k, i in self.items.items() if i["todo_list"] != int(pk)}
            self.items |= items

    def _follow(self) -> None:
        before = frozenset(self.channels)
        start = seq(self.position)
        params = [("channel", name) for name in sorted(self.channels)]
        headers = {"Last-Event-ID": self.position}
        with connect_sse(
            self._client, "GET", "/api/events/", params=params, headers=headers
        ) as source:
            if source.response.status_code == 403:
                # A list went while nobody was looking.
                self._snapshot()
                return
            source.response.raise_for_status()
            try:
                for event in source.iter_sse():
                    self._take(event)
                    if self._stopping or (self._breaks and self._random.random() < 0.01):
                        raise Reopen
            finally:
                self.covered.append((before, start, seq(self.position)))
                self._load_new_lists(before)

    def _take(self, event: ServerSentEvent) -> None:
        if event.event == "stream-reset":
            self.resets += 1
            self._snapshot()
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
        self.received.append((message["channel"], event.id))
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
