"""How the log's oldest events go, and its floor rises."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from realtime import failpoints, models
from realtime.conf import settings
from realtime.events import EventId
from realtime.log.heads import Extent, database, extent, lock_head, new_nonce

_BATCH = 1000


def prunable(max_age: float | None = None, max_events: int | None = None) -> EventId | None:
    """Up to where `prune` would delete now; None if there is nothing to delete."""
    now = extent()
    target = _prune_target(now, max_age, max_events)
    if target <= now.floor.seq:
        return None
    row = models.Event.objects.using(database()).filter(seq__lte=target).order_by("-seq").first()
    return EventId(target, row.nonce if row else now.floor.nonce)


def prune(max_age: float | None = None, max_events: int | None = None) -> int:
    """Deletes events beyond an age in seconds or a number of events; returns how many.

    The defaults are ``REALTIME_LOG_MAX_AGE`` and ``REALTIME_LOG_MAX_EVENTS``. Deletes in batches,
    so that writers never wait long; who is below the new floor will be told to refetch.
    """
    target = _prune_target(extent(), max_age, max_events)
    pruned = 0
    while (floor := extent().floor.seq) < target:
        pruned += _advance_floor(min(floor + _BATCH, target))
    return pruned


def _prune_target(now: Extent, max_age: float | None, max_events: int | None) -> int:
    age = settings.LOG_MAX_AGE if max_age is None else max_age
    keep = settings.LOG_MAX_EVENTS if max_events is None else max_events
    oldest = timezone.now() - timedelta(seconds=age)
    rows = models.Event.objects.using(database())
    young = rows.filter(seq__gt=now.floor.seq, created_at__gte=oldest).order_by("seq")
    first_young = young.values_list("seq", flat=True).first()
    by_age = now.head.seq if first_young is None else first_young - 1
    return max(by_age, now.head.seq - keep)


def _advance_floor(target: int) -> int:
    alias = database()
    with transaction.atomic(using=alias):
        row = lock_head(alias)
        failpoints.reach("log.pruning")
        doomed = models.Event.objects.using(alias).filter(seq__lte=target)
        last = doomed.order_by("-seq").first()
        # Somebody may have deleted rows by hand: the floor rises all the same.
        row.floor, row.floor_nonce = target, last.nonce if last else new_nonce()
        row.save(using=alias, update_fields=("floor", "floor_nonce"))
        return doomed.delete()[0]
