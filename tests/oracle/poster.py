"""Writes at random by REST, as several users: ``python -m tests.oracle.poster SEED TOKENS URLS``.

Tokens and addresses are separated by commas. A server that does not answer is left for the next
one; only what was answered counts. An answer that no fault excuses ends it.
"""

import random
import sys
import time
from typing import Any

import httpx

from tests.oracle import telling

USERS = ("alice", "bob", "carol", "dave")
PAUSE = 0.1
"""Seconds until the next attempt, where nobody answers."""


class Poster:
    """Somebody who uses the API of several servers."""

    def __init__(self, seed: int, tokens: list[str], urls: list[str]) -> None:
        self._random = random.Random(seed)
        self._urls = urls
        self._clients = [
            httpx.Client(headers={"Authorization": f"Token {token}"}, timeout=30)
            for token in tokens
        ]
        self._made = 0

    def advance(self) -> int:
        """A few requests that belong together; how many writes were answered."""
        self._made = 0
        try:
            self._random.choice([self._items, self._items, self._items, self._lists])()
        except httpx.TransportError:
            self._random.shuffle(self._urls)
            time.sleep(PAUSE)
        return self._made

    def _send(self, client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON; None if it was refused, as it may be when somebody was quicker."""
        answer = client.request(method, self._urls[0] + path, json=body)
        if answer.status_code == 503:
            time.sleep(PAUSE)
            return None
        if answer.status_code in (400, 403, 404):
            return None
        answer.raise_for_status()
        if method != "GET":
            self._made += 1
        return answer.json() if answer.content else {}

    def _items(self) -> None:
        """An item is added, edited, moved, and perhaps deleted."""
        client = self._random.choice(self._clients)
        found = self._send(client, "GET", "/api/todo-lists/?limit=100")
        if not found or not found["results"]:
            return
        one, other = (self._random.choice(found["results"])["id"] for _ in range(2))
        text = f"by REST {self._random.randrange(10**9)}"
        item = self._send(client, "POST", "/api/todo-items/", {"todo_list": one, "text": text})
        if item is None:
            return
        path = f"/api/todo-items/{item['id']}/"
        self._send(client, "PATCH", path, {"done": True})
        self._send(client, "PUT", path, {"todo_list": other, "text": f"{text}, edited"})
        # Most go, for the others' writers count on there being few.
        if self._random.random() < 0.9:
            self._send(client, "DELETE", path)

    def _lists(self) -> None:
        """A list is made, shared, unshared, and deleted with what is in it."""
        client = self._random.choice(self._clients)
        name = f"by REST {self._random.randrange(10**9)}"
        made = self._send(client, "POST", "/api/todo-lists/", {"name": name})
        if made is None:
            return
        path = f"/api/todo-lists/{made['id']}/"
        self._send(client, "POST", f"{path}members/", {"username": self._random.choice(USERS)})
        self._send(
            client, "POST", "/api/todo-items/", {"todo_list": made["id"], "text": "goes with it"}
        )
        self._send(client, "DELETE", f"{path}members/{self._random.choice(USERS)}/")
        self._send(client, "DELETE", path)


if __name__ == "__main__":
    seed, tokens, urls = sys.argv[1:]
    poster = Poster(int(seed), tokens.split(","), urls.split(","))
    telling.until_told(poster.advance)
