"""What is read of the log, and whether it can tell what came after a position."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Subquery
from django.utils import timezone

from realtime import models
from realtime.conf import settings
from realtime.events import Event, EventId
from realtime.exceptions import PositionLost
from realtime.log.heads import Extent, database, extent
from realtime.log.rows import to_event


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the log's order, and the position up to which they are all there were."""

    events: list[Event]
    upto: EventId
    complete: bool
    """Whether `upto` was the log's head."""


def read_after(
    position: EventId, channels: Sequence[str] | None = None, limit: int | None = None
) -> Page:
    """The events after `position`, of `channels` or of all; at most `limit`.

    Raises `PositionLost` if the log can't tell what came after `position`.
    """
    limit = limit or settings.REPLAY_PAGE
    now = extent()
    _check(position, now)
    rows = models.Event.objects.using(database()).filter(
        seq__gt=position.seq, seq__lte=now.head.seq
    )
    if channels is not None:
        rows = rows.filter(channel__in=channels)
    found = [to_event(row) for row in rows.order_by("seq")[:limit]]
    # Rows may have been pruned between the two statements: what counts is the floor now.
    if extent().floor.seq > position.seq:
        raise PositionLost("pruned")
    if len(found) < limit:
        return Page(found, now.head, complete=True)
    upto = found[-1].position
    return Page(found, upto, complete=upto == now.head)


def newest(channel: str, max_age: float, but: Collection[str] = ()) -> tuple[Event, float] | None:
    """The newest numbered event of a channel and its age in seconds, if it is younger than
    `max_age`; events of the types in `but` don't count."""
    now = timezone.now()
    rows = models.Event.objects.using(database()).filter(channel=channel, seq__isnull=False)
    row = rows.exclude(type__in=but).order_by("-seq").first()
    if row is None or row.created_at <= now - timedelta(seconds=max_age):
        return None
    return to_event(row), max(0.0, (now - row.created_at).total_seconds())


def last_before(channels: Sequence[str], upto: EventId) -> EventId | None:
    """The newest position of an event on one of `channels`, up to `upto`, if the log has any."""
    rows = models.Event.objects.using(database())
    # One look at the index for each channel, however many events it has.
    newest_of_each: list[Any] = [
        Subquery(rows.filter(channel=channel, seq__lte=upto.seq).order_by("-seq").values("seq")[:1])
        for channel in channels
    ]
    row = rows.filter(seq__in=newest_of_each).order_by("-seq").first()
    return None if row is None else to_event(row).id


def check(position: EventId) -> None:
    """Raises `PositionLost` unless the log can tell what came after `position`."""
    _check(position, extent())


def _check(position: EventId, now: Extent) -> None:
    if position in (now.head, now.floor):
        return
    if position.seq < now.floor.seq:
        raise PositionLost("pruned")
    if position.seq in (now.head.seq, now.floor.seq) or position.seq > now.head.seq:
        raise PositionLost("unknown-id")
    stored = models.Event.objects.using(database()).filter(seq=position.seq)
    if stored.values_list("nonce", flat=True).first() != position.nonce:
        raise PositionLost("unknown-id")
