"""A ledger: what the log's events make of the channels, each event held against the one before.

An event that does not fit what its channel shows is a phantom, a repeat, or comes out of order;
what is missing shows in the end, when the channels are compared with the database.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

TIMESTAMPS = {"updated_at"}
"""Fields that an event names only if nothing else has changed."""

Channels = dict[str, dict[tuple[str, int], Any]]
"""The representation of each object, by its model and primary key, on each channel."""


class Misfit(Exception):
    """An event that can't have happened to what there was."""


class Ledger:
    """Follows all channels, from what they show at the beginning."""

    def __init__(self, start: Channels | None = None) -> None:
        self._channels = defaultdict(dict, {k: dict(v) for k, v in (start or {}).items()})

    def state(self) -> Channels:
        """What is on each channel that has anything."""
        return {name: dict(objects) for name, objects in self._channels.items() if objects}

    def enter(self, kind: str, channel: str, data: str, changed: Iterable[str] | None) -> None:
        """Takes an event; raises `Misfit`."""
        model, _, action = kind.rpartition(".")
        objects, new = self._channels[channel], json.loads(data)
        key = (model, new["id"])
        if not self._fits(action, objects.get(key), new, changed):
            raise Misfit(f"{kind} on {channel}: {data}, {changed}, after {objects.get(key)}")
        if action in ("left", "deleted"):
            del objects[key]
        else:
            objects[key] = new

    @staticmethod
    def _fits(action: str, old: Any, new: Any, changed: Iterable[str] | None) -> bool:
        if action in ("created", "entered"):
            return old is None and changed is None
        if old is None:
            return False
        if action == "updated":
            return changed is not None and set(changed) == _differences(old, new)
        return action in ("left", "deleted") and new == {"id": old["id"]} and changed is None


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    found = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    return found - TIMESTAMPS or found or {"nothing"}


def expected(lists: Iterable[Any], items: Iterable[Any]) -> Channels:
    """What the channels have to show when these representations are all there are: a list is on its
    own channel and on those of its owner and members, an item on its list's."""
    channels: Channels = defaultdict(dict)
    for row in lists:
        users = [row["owner"], *row["members"]]
        names = [f"private-todo-list.{row['id']}", *(f"private-user.{u['id']}" for u in users)]
        for name in names:
            channels[name]["todo-list", row["id"]] = row
    for row in items:
        channels[f"private-todo-list.{row['todo_list']}"]["todo-item", row["id"]] = row
    return dict(channels)
