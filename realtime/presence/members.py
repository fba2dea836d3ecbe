"""The members of one presence channel, and what becomes of them by a change. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from realtime.events import MEMBER_JOINED, MEMBER_LEFT, MEMBER_LIST, Event, dumps


class Arrival(NamedTuple):
    """A connection that is to be a member."""

    user_id: str
    info: str
    """JSON text."""
    known: bool = False
    """Whether it has been a member before, so that no limit applies."""


@dataclass(slots=True)
class Change:
    """What a worker wants of one channel, by socket ids."""

    arrivals: dict[str, Arrival] = field(default_factory=dict)
    leavers: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Snapshot:
    """The members of a channel at a version of it."""

    version: int
    infos: Mapping[str, str]
    """By user id, as JSON text; the oldest members first."""

    @cached_property
    def members(self) -> dict[str, Any]:
        """What each member tells of itself, by user id."""
        return {user_id: json.loads(info) for user_id, info in self.infos.items()}

    @cached_property
    def presence(self) -> str:
        """What Pusher's clients are told of it: JSON text, one for all who joined together."""
        ids = dumps(list(self.infos))
        infos = ",".join(f"{dumps(user_id)}:{info}" for user_id, info in self.infos.items())
        return f'{{"presence":{{"ids":{ids},"hash":{{{infos}}},"count":{len(self.infos)}}}}}'

    @cached_property
    def text(self) -> str:
        """What REST and streams tell of it: JSON text."""
        members = ",".join(
            f'{{"id":{dumps(user_id)},"info":{info}}}' for user_id, info in self.infos.items()
        )
        return f'{{"members":[{members}],"version":{self.version}}}'

    def listed(self, channel: str) -> Event:
        """What shows a stream all members of its channel."""
        return Event(channel, MEMBER_LIST, self.text)

    def after(self, events: Iterable[Event]) -> "Snapshot":
        """The members once these events have happened, some of which it may contain already."""
        infos, newest = dict(self.infos), self.version
        for event in events:
            number = version(event)
            if number is None or number <= newest:
                continue
            newest, data = number, json.loads(event.data)
            infos.pop(data["id"], None)
            if event.type == MEMBER_JOINED:
                infos[data["id"]] = dumps(data["info"])
        return Snapshot(newest, infos)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change."""

    snapshot: Snapshot
    refused: frozenset[str]
    """The socket ids of those for whom there was no room."""


class Row(NamedTuple):
    """A connection that is a member."""

    pk: int
    worker: str
    lost: bool
    """Whether that worker is."""
    socket_id: str
    user_id: str
    info: str


class Status(NamedTuple):
    """Whether a user is signed in by some connection, since a version of that user."""

    version: int
    online: bool


@dataclass(slots=True)
class Turn:
    """What to write, and what came out."""

    removed: list[int]
    added: dict[str, Arrival]
    events: list[Event]
    outcome: Outcome


def turn(
    channel: str,
    version: int,
    rows: Iterable[Row],
    leaves: Callable[[Row], bool],
    arrivals: Mapping[str, Arrival],
    *,
    limit: int,
    now: int,
) -> Turn:
    """Lets connections leave and others arrive, one for each socket id that has no row which stays.

    Events raise the `version`, at least to `now`: a channel that was forgotten, and begins anew,
    must not fall back. A user of whom a connection stays keeps the
    information that everybody has got, whatever a further connection tells.
    """
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    removed = []
    for row in rows:
        before.setdefault(row.user_id, row.info)
        if leaves(row):
            removed.append(row.pk)
        else:
            after.setdefault(row.user_id, row.info)
    added: dict[str, Arrival] = {}
    refused = set()
    for socket_id, arrival in arrivals.items():
        if arrival.user_id not in after and not arrival.known and len(after) >= limit:
            refused.add(socket_id)
            continue
        info = after.setdefault(arrival.user_id, arrival.info)
        added[socket_id] = arrival._replace(info=info)
    events = list(_events(channel, max(version + 1, now), before, after))
    if events:
        version = max(version, now - 1) + len(events)
    snapshot = Snapshot(version, after)
    return Turn(removed, added, events, Outcome(snapshot, frozenset(refused)))


def _events(
    channel: str, version: int, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Event]:
    """The differences. Who has left and come back with other information does both."""
    for user_id, info in before.items():
        if after.get(user_id) != info:
            data = f'{{"id":{dumps(user_id)},"version":{version}}}'
            yield Event(channel, MEMBER_LEFT, data)
            version += 1
    for user_id, info in after.items():
        if before.get(user_id) != info:
            data = f'{{"id":{dumps(user_id)},"info":{info},"version":{version}}}'
            yield Event(channel, MEMBER_JOINED, data)
            version += 1


def version(event: Event) -> int | None:
    """The version that a join or a leave has brought its channel to; None for any other event."""
    return _version(event.data) if event.type in (MEMBER_JOINED, MEMBER_LEFT) else None


@lru_cache(1024)
def _version(data: str) -> int:
    return int(json.loads(data)["version"])
