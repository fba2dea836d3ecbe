"""Who is in a presence channel, counted by users: each may have several connections, on any worker.

A member's first connection and last one are events in the log, ``member.joined`` and
``member.left``, written in the transaction of the change itself. Each raises the channel's version.
A `Snapshot` and the events of a higher version are the members, exactly.

That a user is signed in, by some connection, is kept in the same way, as if it was a channel of the
user's own; but only workers are told, by an event on their control channel.

What workers want is done in batches, by ``bookkeeping/roster.py``. A transaction locks the rows of
its channels, in the order of their names, before it looks at anything else.
"""

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Subquery

from realtime import webhooks
from realtime.conf import settings
from realtime.database import locks
from realtime.database.chunks import VARIABLES, chunked
from realtime.events import MEMBER_JOINED, Event, dumps
from realtime.leases import Lease
from realtime.log import database
from realtime.models import Member, PresenceChannel
from realtime.names import CONTROL, is_presence
from realtime.presence.members import Change, Outcome, Row, Snapshot, Status, Turn, turn, version
from realtime.publishing.watch import append

SIGNED_IN = "#signed-in-"
"""Before a user's id: what counts as a channel whose members are that user's connections."""
SIGNED = "signed"
"""Type of the control event that tells, by user id, the `Status` of those who sign in or out."""

_TOGETHER = 100
"""Channels that are cleared in one transaction."""
_FORGOTTEN = timedelta(hours=1)
"""After so long, the row of a channel without members is of no use: a new one has a version that is
higher still, for it begins with the time."""


def members(channel: str) -> dict[str, Any]:
    """What each member of a channel tells of itself, by user id."""
    rows = Member.objects.using(database()).filter(channel=channel).order_by("pk")
    return Snapshot(0, dict(rows.values_list("user_id", "info"))).members


def snapshot(channel: str) -> Snapshot:
    """The members of a channel and the version that they belong to."""
    alias = database()
    present = Member.objects.using(alias).filter(channel=channel)
    channels = PresenceChannel.objects.using(alias).filter(pk=channel)
    while True:
        # Members and version by one statement, which sees both as of one moment.
        rows = present.annotate(version=Subquery(channels.values("version"))).order_by("pk")
        if found := list(rows.values_list("version", "user_id", "info")):
            infos: dict[str, str] = {}
            for _, user_id, info in found:
                infos.setdefault(user_id, info)
            return Snapshot(found[0][0], infos)
        empty = channels.annotate(present=Exists(present)).values_list("version", "present").first()
        if empty is None or not empty[1]:
            return Snapshot(empty[0] if empty else 0, {})


def lists(channels: Iterable[str]) -> list[Event]:
    """For each presence channel among these, what shows a stream its members."""
    return [snapshot(name).listed(name) for name in channels if is_presence(name)]


def user_counts(channels: Collection[str]) -> dict[str, int]:
    """How many members these channels have; those that have none are left out."""
    rows = Member.objects.using(database()).filter(channel__in=channels).values("channel")
    counted = rows.annotate(users=Count("user_id", distinct=True)).order_by()
    return dict(counted.values_list("channel", "users"))


def statuses(users: Collection[str]) -> dict[str, Status]:
    """Who of these is signed in, and who is not."""
    present = Member.objects.using(database()).filter(channel=OuterRef("pk"))
    rows = PresenceChannel.objects.using(database()).annotate(online=Exists(present))
    found = dict.fromkeys(users, Status(0, False))
    for chunk in chunked(sorted(users)):
        names = [SIGNED_IN + user_id for user_id in chunk]
        for row in rows.filter(pk__in=names).values_list("pk", "version", "online"):
            found[row[0].removeprefix(SIGNED_IN)] = Status(*row[1:])
    return found


def apply(lease: Lease, changes: Mapping[str, Change]) -> dict[str, Outcome]:
    """Does what the worker of this lease wants of channels; it may be repeated. A channel that was
    just tidied away has no outcome: nothing was done there."""
    alias = database()
    lease.ensure()
    _create(alias, changes)
    with transaction.atomic(using=alias):
        channels = _lock(alias, changes)
        turns = []
        for channel, rows in zip(channels, _rows(alias, channels), strict=True):
            turns.append(_turn(lease.worker.pk, channel, rows, changes[channel.pk]))
        _write(alias, lease.worker.pk, channels, turns)
    return {channel.pk: done.outcome for channel, done in zip(channels, turns, strict=True)}


def clear() -> None:
    """Removes the members that lost workers have left behind."""
    alias = database()
    left = Member.objects.using(alias).filter(worker__lost=True)
    names = sorted(set(left.values_list("channel", flat=True)))
    for chunk in chunked(names, _TOGETHER):
        with transaction.atomic(using=alias):
            channels = _lock(alias, chunk)
            turns = [
                turn(channel.pk, channel.version, rows, _is_lost, {}, limit=0, now=_now())
                for channel, rows in zip(channels, _rows(alias, channels), strict=True)
            ]
            _write(alias, "", channels, turns)


def tidy() -> None:
    """Deletes the rows of channels that nobody has been in for long."""
    rows = PresenceChannel.objects.using(database())
    present = Member.objects.using(database()).filter(channel=OuterRef("pk"))
    before = _now() - int(_FORGOTTEN.total_seconds() * 1000)
    old = rows.filter(~Exists(present), version__lt=before)
    for pk in old.values_list("pk", flat=True)[:VARIABLES]:
        # One by one, to hold no lock while waiting for another. Somebody who comes at this moment
        # has raised the version.
        old.filter(pk=pk).delete()


def _create(alias: str, names: Collection[str]) -> None:
    """Makes the channels' rows, outside of the transaction that will lock them."""
    rows = PresenceChannel.objects.using(alias)
    missing = set(names).difference(rows.filter(pk__in=list(names)).values_list("pk", flat=True))
    rows.bulk_create([PresenceChannel(pk=name) for name in sorted(missing)], ignore_conflicts=True)


def _lock(alias: str, names: Collection[str]) -> list[PresenceChannel]:
    locks.limit_pauses(alias)
    rows = PresenceChannel.objects.using(alias).filter(pk__in=list(names))
    return list(rows.select_for_update().order_by("pk"))


def _rows(alias: str, channels: Collection[PresenceChannel]) -> list[list[Row]]:
    """Of each channel, its members' connections; the oldest first."""
    found: dict[str, list[Row]] = {channel.pk: [] for channel in channels}
    rows = Member.objects.using(alias).filter(channel__in=list(found)).order_by("pk")
    columns = ("channel", "pk", "worker", "worker__lost", "socket_id", "user_id", "info")
    for row in rows.values_list(*columns):
        found[row[0]].append(Row(*row[1:]))
    return list(found.values())


def _turn(worker: str, channel: PresenceChannel, rows: list[Row], change: Change) -> Turn:
    """What a worker's change makes of a channel."""
    held = {row.socket_id: row for row in rows if row.worker == worker}
    # By the same connection as somebody else: it has left in between, and come back.
    replaced = {
        socket_id
        for socket_id, arrival in change.arrivals.items()
        if socket_id in held and held[socket_id].user_id != arrival.user_id
    }
    gone = {held[socket_id].pk for socket_id in held.keys() & (change.leavers | replaced)}
    new = {
        socket_id: arrival
        for socket_id, arrival in change.arrivals.items()
        if socket_id not in held or held[socket_id].pk in gone
    }
    return turn(
        channel.pk,
        channel.version,
        rows,
        lambda row: row.pk in gone,
        new,
        limit=settings.MAX_MEMBERS,
        now=_now(),
    )


def _write(alias: str, worker: str, channels: list[PresenceChannel], turns: list[Turn]) -> None:
    rows = Member.objects.using(alias)
    removed = [pk for turned in turns for pk in turned.removed]
    for chunk in chunked(removed):
        rows.filter(pk__in=chunk).delete()
    added: list[Member] = []
    changed: list[PresenceChannel] = []
    for channel, turned in zip(channels, turns, strict=True):
        for socket_id, (user_id, info, _) in turned.added.items():
            who = {"user_id": user_id, "info": info}
            added.append(Member(worker_id=worker, channel=channel.pk, socket_id=socket_id, **who))
        if turned.events:
            channel.version = turned.outcome.snapshot.version
            changed.append(channel)
    rows.bulk_create(added)
    # An upsert, of rows that are there and locked: it is many times faster than `bulk_update`.
    PresenceChannel.objects.using(alias).bulk_create(
        changed, update_conflicts=True, unique_fields=["name"], update_fields=["version"]
    )
    _tell(alias, [event for turned in turns for event in turned.events])


def _notifying(event: Event, joined: bool) -> Callable[[], None]:
    # No partial: Django asks a hook that fails for its name.
    def notify() -> None:
        name = "member_added" if joined else "member_removed"
        webhooks.notify(name, channel=event.channel, user_id=json.loads(event.data)["id"])

    return notify


def _tell(alias: str, events: Iterable[Event]) -> None:
    """Writes events into the log, and has webhooks called once they are committed."""
    logged: list[Event] = []
    signed: dict[str, Status] = {}
    for event in events:
        joined = event.type == MEMBER_JOINED
        if event.channel.startswith(SIGNED_IN):
            user_id = event.channel.removeprefix(SIGNED_IN)
            signed[user_id] = Status(version(event) or 0, joined)
            continue
        logged.append(event)
        transaction.on_commit(_notifying(event, joined), using=alias, robust=True)
    if signed:
        logged.append(Event(CONTROL, SIGNED, dumps(signed)))
    append(logged, alias)


def _is_lost(row: Row) -> bool:
    return row.lost


def _now() -> int:
    """The time in milliseconds: the least that a new version may be."""
    return time.time_ns() // 1_000_000
