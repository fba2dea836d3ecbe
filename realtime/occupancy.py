"""How many subscriptions channels have, over all workers.

Each worker keeps a row for every channel that it holds subscriptions to. Their sum changes only
under a lock of the channel's name, so that of several workers exactly one sees it leave zero or
come back to it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from realtime import locks
from realtime.leases import Lease
from realtime.log import database
from realtime.models import Occupancy

_TOGETHER = 100
"""Channels that are counted in one transaction."""


class Total(NamedTuple):
    """The subscriptions of a channel, over all workers, before and after a change."""

    before: int
    after: int
    at: float
    """When, by the database's clock: later changes of a channel have a later time."""


def counts(channels: Collection[str]) -> dict[str, int]:
    """How many subscriptions these channels have; those that have none are left out."""
    return _counts(database(), channels)


def occupied(prefix: str = "") -> dict[str, int]:
    """The channels that have subscriptions and begin so, each with how many."""
    rows = Occupancy.objects.using(database()).filter(channel__startswith=prefix)
    summed = rows.values("channel").annotate(total=Sum("subscriptions")).order_by("channel")
    return dict(summed.values_list("channel", "total"))


def write(lease: Lease, held: Mapping[str, int]) -> dict[str, Total]:
    """Says how many subscriptions to some channels the worker of this lease holds. Answers the
    totals that this has changed."""
    lease.ensure()
    changed: dict[str, Total] = {}
    for names in _chunks(held):
        changed |= _write(lease.worker.pk, {name: held[name] for name in names})
    return changed


def clear() -> dict[str, Total]:
    """Takes away what lost workers have counted; answers the totals that this has changed."""
    rows = Occupancy.objects.using(database()).filter(worker__lost=True)
    changed: dict[str, Total] = {}
    for names in _chunks(set(rows.values_list("channel", flat=True))):
        changed |= _clear(names)
    return changed


def _write(worker: str, held: Mapping[str, int]) -> dict[str, Total]:
    alias = database()
    with transaction.atomic(using=alias):
        before = _begin(alias, held)
        rows = Occupancy.objects.using(alias)
        rows.filter(
            worker=worker, channel__in=[n for n, count in held.items() if not count]
        ).delete()
        rows.bulk_create(
            [
                Occupancy(worker_id=worker, channel=name, subscriptions=count)
                for name, count in held.items()
                if count
            ],
            update_conflicts=True,
            unique_fields=["channel", "worker"],
            update_fields=["subscriptions"],
        )
        return _end(alias, before)


def _clear(names: Collection[str]) -> dict[str, Total]:
    alias = database()
    with transaction.atomic(using=alias):
        before = _begin(alias, names)
        rows = Occupancy.objects.using(alias).filter(channel__in=names, worker__lost=True)
        rows.delete()
        return _end(alias, before)


def _begin(alias: str, names: Iterable[str]) -> dict[str, int]:
    """Locks channels; their totals."""
    locks.limit_pauses(alias)
    locks.take(alias, [f"occupancy {name}" for name in names])
    return dict.fromkeys(names, 0) | _counts(alias, list(names))


def _end(alias: str, before: Mapping[str, int]) -> dict[str, Total]:
    after = _counts(alias, list(before))
    at = locks.clock(alias)
    return {
        name: Total(count, after.get(name, 0), at)
        for name, count in before.items()
        if count != after.get(name, 0)
    }


def _counts(alias: str, channels: Collection[str]) -> dict[str, int]:
    rows = Occupancy.objects.using(alias).filter(channel__in=channels).values("channel")
    summed = rows.annotate(total=Sum("subscriptions")).order_by()
    return dict(summed.values_list("channel", "total"))


def _chunks(names: Iterable[str]) -> Iterable[list[str]]:
    ordered = sorted(names)
    for start in range(0, len(ordered), _TOGETHER):
        yield ordered[start : start + _TOGETHER]
