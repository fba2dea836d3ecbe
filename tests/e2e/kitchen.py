"""The recipes of docs/cookbook.md at work: in pages, in a process, in a shell."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx
from playwright.sync_api import Browser, BrowserContext, Route

from tests.browser import log_in
from tests.servers import DEADLINE, ROOT, Server, wait_until

_FAILED = ("Failed to load resource", "htmx: htmx:sse:error")
"""How Chromium and htmx begin their reports of requests that have failed."""
_ON_CUE = """
print("ready", flush=True)
input()
"""


def line(item: dict[str, Any]) -> str:
    """How the recipes show an item."""
    return f"✓ {item['text']}" if item["done"] else str(item["text"])


class View(Protocol):
    """One recipe at work."""

    def lines(self) -> list[str]:
        """What it shows."""


class Page:
    """A recipe for browsers, in a context of its own: a browser has few connections for each."""

    def __init__(
        self, browser: Browser, session: Any, url: str, first: Callable[[Route], Any] | None = None
    ) -> None:
        """`first` handles the first request for a stream."""
        self.mistakes: list[str] = []
        self.reads = 0
        self.context: BrowserContext = browser.new_context(storage_state=session)
        self.context.on("weberror", lambda error: self.mistakes.append(str(error.error)))
        self.context.on("console", lambda message: self._listen(message.type, message.text))
        self.context.on("request", lambda request: self._count(request.url))
        self.context.add_init_script(_LISTEN)
        self.page = self.context.new_page()
        if first is not None:
            self.page.route("**/api/events/*", first, times=1)
        self.page.goto(url)

    def _listen(self, kind: str, text: str) -> None:
        # While the server is away, requests fail.
        if kind in ("error", "warning") and not text.startswith(_FAILED):
            self.mistakes.append(text)

    def _count(self, url: str) -> None:
        self.reads += "/api/todo-items/?" in url

    def lines(self) -> list[str]:
        """What the list shows."""
        shown: list[str] = self.page.evaluate(
            "Array.from(document.querySelectorAll('li'), (line) => line.textContent)"
        )
        return shown

    def heard(self) -> list[str]:
        """The ids of the changes that its EventSources have heard of."""
        ids: list[str] = self.page.evaluate("heard")
        return ids


_LISTEN = """
window.heard = [];
window.EventSource = class extends EventSource {
  constructor(url) {
    super(url);
    for (const action of ["created", "updated", "deleted", "entered", "left"])
      this.addEventListener(`todo-item.${action}`, (event) => heard.push(event.lastEventId));
  }
};
"""


class Process:
    """A program that follows, and what it has printed so far."""

    def __init__(self, command: list[str], **environ: str) -> None:
        self.process = subprocess.Popen(
            command,
            env=os.environ | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.printed: list[str] = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for one in self.process.stdout:
            self.printed.append(one.rstrip("\n"))

    def close(self) -> str:
        """Ends it, with all that it has started; what it said on standard error."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        self._thread.join(DEADLINE)
        return self.process.communicate(timeout=DEADLINE)[1]


class Follower(Process):
    """The recipe in Python."""

    def __init__(self, server: Server, program: Path, username: str = "alice") -> None:
        token = server.token(username)
        super().__init__([sys.executable, str(program), server.url, token, "1"])

    def told(self) -> list[tuple[str, Any]]:
        """What it has told so far, as ``(action, data)``."""
        pairs = [one.partition(" ") for one in list(self.printed)]
        return [(action, json.loads(data)) for action, _, data in pairs]

    def lines(self) -> list[str]:
        """The items that what it has told amounts to."""
        rows: dict[int, dict[str, Any]] = {}
        for action, data in self.told():
            if action == "loaded":
                rows = {row["id"]: row for row in data}
            elif action in ("deleted", "left"):
                rows.pop(data["id"], None)
            else:
                rows[data["id"]] = data
        return [line(row) for row in sorted(rows.values(), key=lambda r: (r["position"], r["id"]))]


class Kitchen:
    """The server, and the recipes at work on its first list."""

    def __init__(self, server: Server, folder: Path, browser: Browser) -> None:
        self.server, self.folder, self.browser = server, folder, browser
        self.api: httpx.Client = server.client()
        self._sessions: dict[str, Any] = {}
        self._views: dict[str, Any] = {}
        self._others: list[Any] = []

    def view(self, name: str) -> Any:
        """A recipe at work for alice, the same one for all tests."""
        if name not in self._views:
            self._views[name] = self.open(name)
        return self._views[name]

    def open(self, name: str, username: str = "alice", **options: Any) -> Any:
        """A recipe at work, anew."""
        if name == "python":
            made: Any = Follower(self.server, self.folder / "follow.py", username)
        else:
            path = "/lists/1/" if name == "htmx" else f"/cookbook/{name}/"
            made = Page(self.browser, self._session(username), self.server.url + path, **options)
        self._others.append(made)
        return made

    def _session(self, username: str) -> Any:
        if username not in self._sessions:
            context = self.browser.new_context()
            page = context.new_page()
            log_in(page, self.server.url, username)
            self._sessions[username] = context.storage_state()
            context.close()
        return self._sessions[username]

    def expect(self, *views: View) -> None:
        """Waits until all of them show what REST answers."""
        expected = [line(row) for row in self.rows()]
        for view in views:
            try:
                wait_until(lambda view=view: view.lines() == expected, "the list")
            except AssertionError as error:
                raise AssertionError(f"{error}: {view.lines()} is not {expected}") from None

    def rows(self) -> list[dict[str, Any]]:
        """The items of the list, as REST answers them."""
        answer = self.api.get("/api/todo-items/", params={"todo_list": 1, "limit": 1000})
        found: list[dict[str, Any]] = answer.json()["results"]
        return found

    def write(self, method: str, path: str, **data: Any) -> Any:
        """A write by REST; what it answers."""
        answer = self.api.request(method, f"/api/todo-items/{path}", json=data)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def add(self, text: str, todo_list: int = 1) -> Any:
        """A new item."""
        return self.write("POST", "", todo_list=todo_list, text=text)

    def position(self) -> str:
        """Where the first list is now."""
        link = self.api.get("/api/todo-items/?todo_list=1").links["stream"]
        return str(link["last-event-id"])

    def changes(self, since: str) -> list[dict[str, Any]]:
        """The log itself: all changes of the list's items since a position."""
        headers = {"Accept": "application/json", "Last-Event-ID": since}
        answer = self.api.get("/api/events/?channel=private-todo-list.1", headers=headers).json()
        assert answer["reset"] is None
        return [event for event in answer["events"] if event["event"].startswith("todo-item.")]

    def crash(self, code: str) -> None:
        """Kills the server, runs Python with Django meanwhile, and starts it again: soon, for the
        longer it is away, the longer the recipes wait before they come back."""
        command = [sys.executable, str(ROOT / "manage.py"), "shell", "-v0", "-c", _ON_CUE + code]
        with subprocess.Popen(
            command,
            env=self.server.environ,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            self.server.kill()
            process.communicate(b"\n", timeout=DEADLINE)
        assert process.returncode == 0
        self.server.start()

    def close(self) -> None:
        """Ends everything; fails if a browser has found a mistake."""
        self.api.close()
        mistakes = []
        for one in self._others:
            if isinstance(one, Page):
                one.context.close()
                mistakes += one.mistakes
            else:
                one.close()
        assert not mistakes, mistakes
