"""How many subscriptions channels have, over all workers.

Each worker keeps a row for every channel that it holds subscriptions to. Their sum changes only
under a lock of the channel's name, so that of several workers exactly one sees it leave zero or
come back to it.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from django.db import transaction
from django.db.models import Sum

from realtime.database import locks
from realtime.database.chunks import chunked
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
    """Says how many subscriptions to some channels the worker of this lease holds; it may be
    repeated. Answers the totals that this has changed."""
    alias = database()
    lease.ensure()
    worker = lease.worker.pk
    with transaction.atomic(using=alias):
        before = _begin(alias, held)
        rows = Occupancy.objects.using(alias)
        none = [name for name, count in held.items() if not count]
        rows.filter(worker=worker, channel__in=none).delete()
        rows.bulk_create(
            (
                Occupancy(worker_id=worker, channel=name, subscriptions=count)
                for name, count in held.items()
                if count
            ),
            update_conflicts=True,
            unique_fields=["channel", "worker"],
            update_fields=["subscriptions"],
        )
        return _changed(_end(alias, before))


def clear() -> dict[str, Total]:
    """Takes away what lost workers have counted; answers the totals that this has changed."""
    alias = database()
    rows = Occupancy.objects.using(alias).filter(worker__lost=True)
    names = sorted(set(rows.values_list("channel", flat=True)))
    changed: dict[str, Total] = {}
    for chunk in chunked(names, _TOGETHER):
        with transaction.atomic(using=alias):
            before = _begin(alias, chunk)
            rows.filter(channel__in=list(before)).delete()
            changed |= _changed(_end(alias, before))
    return changed


def totals(channels: Collection[str]) -> dict[str, Total]:
    """The totals of channels as they are, unchanged."""
    alias = database()
    with transaction.atomic(using=alias):
        return _end(alias, _begin(alias, channels))


def _begin(alias: str, names: Iterable[str]) -> dict[str, int]:
    """Locks channels; their totals."""
    locks.limit_pauses(alias)
    locks.take(alias, [f"occupancy {name}" for name in names])
    return dict.fromkeys(names, 0) | _counts(alias, list(names))


def _end(alias: str, before: Mapping[str, int]) -> dict[str, Total]:
    after, at = _counts(alias, list(before)), locks.clock(alias)
    return {name: Total(count, after.get(name, 0), at) for name, count in before.items()}


def _changed(totals: Mapping[str, Total]) -> dict[str, Total]:
    return {name: total for name, total in totals.items() if total.before != total.after}


def _counts(alias: str, channels: Collection[str]) -> dict[str, int]:
    rows = Occupancy.objects.using(alias).filter(channel__in=channels).values("channel")
    summed = rows.annotate(total=Sum("subscriptions")).order_by()
    return dict(summed.values_list("channel", "total"))
