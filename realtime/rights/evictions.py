"""Orders to end connections, whichever worker holds them: control events in the log."""

import json
from collections.abc import Iterable, Mapping

from realtime.database.chunks import chunked
from realtime.events import Event, dumps
from realtime.log import database
from realtime.names import CONTROL
from realtime.publishing.watch import append

KICK = "kick"
"""It ends, and may come back."""
REVOKE = "revoke"
"""It ends, for what it rests on was ended: whatever else rests on that is to be looked for."""

_AT_ONCE = 500
"""Connections in one event."""

Target = tuple[str, int]
"""A worker's id, and what it knows the connection by."""


def order(kind: str, targets: Iterable[Target]) -> None:
    """Has workers end connections, within the caller's transaction."""
    new = [Event(CONTROL, kind, dumps(_by_worker(chunk))) for chunk in chunked(targets, _AT_ONCE)]
    append(new, database())


def of(event: Event, worker: str) -> tuple[str, list[int]]:
    """What an event orders, and which of a worker's connections it is about; for any other event,
    nothing about none."""
    if event.channel != CONTROL or event.type not in (KICK, REVOKE):
        return "", []
    return event.type, [int(number) for number in json.loads(event.data).get(worker, ())]


def _by_worker(targets: Iterable[Target]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    for worker, number in targets:
        found.setdefault(worker, []).append(number)
    return found
