"""The watch over one deletion: everything that goes with it, and what it leaves changed behind."""

from collections import defaultdict
from typing import Any

from django.db.models import Model
from django.db.models.deletion import Collector

from realtime.publishing.querysets import CoveredQuerySet
from realtime.publishing.watch import Targets, Watch, merge, stored_targets, targets


class Deletion:
    """Looks at all objects of a cascade together, and publishes them as Django deletes them.

    `origin` is what ``delete()`` was called on, an instance or a queryset. Django deletes all rows
    of a model, then sends their signals; so does the first of these settle them all.
    """

    def __init__(self, origin: Any, using: str) -> None:
        self._watch = Watch(using)
        self._begun: set[tuple[type[Model], Any]] = set()
        self._unfinished: set[tuple[type[Model], Any]] = set()
        self._waiting: dict[type[Model], Targets] = {}
        self._settled: set[tuple[type[Model], Any]] = set()
        collector = Collector(using=using, origin=origin)
        collector.collect([origin] if isinstance(origin, Model) else list(origin._chain()))
        collector.sort()  # What points to others first, as Django will delete it.
        doomed = {m: [one.pk for one in instances] for m, instances in collector.data.items()}
        detached = _detached(collector)
        self._watch.look_at_rows(doomed, detached)
        for model, pks in doomed.items():
            # What the instances in memory point to may be out of date.
            self._waiting[model] = stored_targets(model, pks, using)
            self._settled |= {(model, pk) for pk in pks}
        self._detached = merge(*(stored_targets(m, pks, using) for m, pks in detached.items()))

    def begin(self, model: type[Model], instance: Model) -> bool:
        """Before a row is deleted; False if this deletion has begun with it already."""
        row = model, instance.pk
        if row in self._begun:
            return False
        self._begun.add(row)
        self._unfinished.add(row)
        if row not in self._settled:
            self._watch.look(targets(model, [instance]))
        return True

    def finish(self, model: type[Model], instance: Model) -> bool:
        """After a row was deleted; True if it was the last."""
        row = model, instance.pk
        wanted = {} if row in self._settled else targets(model, [instance])
        if model in self._waiting:
            wanted = merge(wanted, self._detached, self._waiting.pop(model))
            self._detached = {}
        self._watch.publish(self._without_doomed(wanted))
        self._unfinished.discard(row)
        return not self._unfinished

    def _without_doomed(self, wanted: Targets) -> Targets:
        """Passes over objects that are about to be deleted too: their own turn will tell all."""
        doomed = {
            publisher: pks
            for model, waiting in self._waiting.items()
            for publisher, pks in waiting.items()
            if issubclass(model, publisher.model)
        }
        return {publisher: pks - doomed.get(publisher, set()) for publisher, pks in wanted.items()}


def _detached(collector: Collector) -> dict[type[Model], set[Any]]:
    """The rows whose foreign keys the deletion will set to something else."""
    found: dict[type[Model], set[Any]] = defaultdict(set)
    for (field, _value), parts in collector.field_updates.items():
        for rows in parts:
            if isinstance(rows, CoveredQuerySet) and rows._result_cache is None:
                continue  # Django calls its update(), which publishes.
            found[field.model].update(row.pk for row in rows)  # type: ignore[attr-defined]
    return found
