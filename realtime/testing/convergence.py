"""Whether a replica that follows a list's stream stays equal to the list."""

import inspect
import random
from collections.abc import Callable
from typing import Any

from django.urls import resolve

from realtime.publishing.publisher import registry
from realtime.testing.publishing import settle
from realtime.testing.streams import Received, Stream, StreamRefused

Action = Callable[[], object] | Callable[[random.Random], object]


class Replica:
    """A list of a REST resource as a client has it: read once, and from then on followed by its
    stream. `rows` are its objects by their ids."""

    def __init__(self, client: Any, url: str, name: str = "") -> None:
        """`name` is what events of the objects are called before the point; found by the view's
        model if it is left out."""
        self._client = client
        self._url = url
        self._name = name or _name_of(url)
        self.rows: dict[Any, Any] = {}
        self._stream: Stream
        self._load()

    def follow(self) -> None:
        """Takes what the stream has brought since the last time."""
        try:
            changes = self._stream.read()
        except StreamRefused:
            # A container went, and its channel with it. Is anything left?
            if len(self._stream.channels) == 1:
                raise
            self._load()
            return
        unclear = False
        for change in changes:
            unclear = self._apply(change) or unclear
        if unclear or self._stream.reset:
            self._load()

    def _load(self) -> None:
        settle()
        response, self.rows = fetch(self._client, self._url)
        self._stream = Stream.of(self._client, response)

    def _apply(self, change: Received) -> bool:
        """Applies a change; answers whether the list must be read anew to know what it has done,
        as the browser's client does."""
        name, _, action = change.type.rpartition(".")
        several = len(self._stream.channels) > 1
        if name != self._name:
            # A container of rows came or went, and perhaps brings a channel of its own.
            return several and action in ("created", "deleted", "entered", "left")
        if action == "left" and several:
            return True
        if action in ("deleted", "left"):
            self.rows.pop(change.data["id"], None)
        else:
            self.rows[change.data["id"]] = change.data
        return False


def fetch(client: Any, url: str) -> tuple[Any, dict[Any, Any]]:
    """The first page of a list, and the rows of all its pages by their ids."""
    rows: list[Any] = []
    first = None
    following: str | None = url
    while following:
        response = client.get(following, headers={"Accept": "application/json"})
        if response.status_code != 200:
            raise AssertionError(f"{following} answered {response.status_code}.")
        first = first or response
        page = response.json()
        rows += page if isinstance(page, list) else page["results"]
        following = None if isinstance(page, list) else page["next"]
    return first, {row["id"]: row for row in rows}


def assert_converges(
    action: Action,
    client: Any,
    url: str,
    *,
    steps: int = 1,
    seed: int | None = None,
    name: str = "",
) -> Replica:
    """Runs `action` while a replica follows the list at `url`, and asserts that the replica has
    what a fresh answer has; after each of the `steps`.

    `url` is that of an unfiltered list, `client` reads it. An action that takes an argument is
    given a `random.Random`; that of a failed run can be had again by its `seed`, which the failure
    names. Raises AssertionError that names the rows which differ.
    """
    seed = random.randrange(2**32) if seed is None else seed  # noqa: S311 - for tests
    arguments = (random.Random(seed),) if inspect.signature(action).parameters else ()  # noqa: S311
    replica = Replica(client, url, name)
    for step in range(1, steps + 1):
        action(*arguments)
        replica.follow()
        settle()
        fresh = fetch(client, url)[1]
        if replica.rows != fresh:
            raise AssertionError(
                f"After step {step} (seed {seed}), the replica (-) is not what the list has (+):\n"
                + "\n".join(_differences(replica.rows, fresh))
            )
    return replica


def _differences(replica: dict[Any, Any], fresh: dict[Any, Any]) -> list[str]:
    lines = []
    for pk in sorted(replica.keys() | fresh.keys(), key=str):
        if replica.get(pk) != fresh.get(pk):
            lines += [f"- {replica[pk]}"] if pk in replica else []
            lines += [f"+ {fresh[pk]}"] if pk in fresh else []
    return lines


def _name_of(url: str) -> str:
    view = resolve(url.partition("?")[0]).func
    queryset = getattr(getattr(view, "cls", None), "queryset", None)
    if queryset is None:
        raise AssertionError(f"Which model is at {url}? Give its events' name.")
    return registry.get(queryset.model).name
