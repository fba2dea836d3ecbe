"""The watch over a write: what objects were before it, and the events that tell the difference."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Model

from realtime import log, meters, sequencer
from realtime.database.chunks import chunked
from realtime.events import Event
from realtime.exceptions import UncoveredWrite
from realtime.publishing.publisher import Image, ModelPublisher, ordered, registry

Targets = dict[ModelPublisher, set[Any]]
"""Primary keys of the objects that a write may change, by their publishers."""


def followers(model: type[Model]) -> list[tuple[ModelPublisher, str]]:
    """The publishers that follow `model`, each with the column of its foreign key to theirs."""
    found = []
    for publisher in registry:
        for label, field in publisher.follows.items():
            followed = apps.get_model(label)
            if issubclass(model, followed):
                found.append((publisher, followed._meta.get_field(field).attname))
    return found


def publishers(model: type[Model]) -> list[ModelPublisher]:
    """The publishers of `model` itself and of the models it inherits from."""
    return [publisher for publisher in registry if issubclass(model, publisher.model)]


def targets(model: type[Model], instances: Iterable[Model]) -> Targets:
    """The objects that show what is in these rows of `model`."""
    found: Targets = defaultdict(set)
    for instance in instances:
        for publisher in publishers(model):
            found[publisher].add(instance.pk)
        for publisher, column in followers(model):
            found[publisher].add(getattr(instance, column))
    return _existing(found)


def stored_targets(model: type[Model], pks: Iterable[Any], using: str) -> Targets:
    """As `targets`, of the rows as the database has them now."""
    pks = [pk for pk in pks if pk is not None]
    found: Targets = defaultdict(set)
    for publisher in publishers(model):
        found[publisher].update(pks)
    for publisher, column in followers(model):
        rows = model._base_manager.using(using).values_list(column, flat=True)
        for chunk in chunked(pks):
            found[publisher].update(rows.filter(pk__in=chunk))
    return _existing(found)


def merge(*parts: Targets) -> Targets:
    """All targets of `parts` together."""
    merged: Targets = {}
    for part in parts:
        for publisher, pks in part.items():
            merged[publisher] = merged.get(publisher, set()) | pks
    return merged


def _existing(found: Targets) -> Targets:
    return {p: pks for p, keys in found.items() if (pks := {k for k in keys if k is not None})}


class Watch:
    """Compares objects before and after a write, within one transaction.

    `look` before the write, `publish` after it; both may be called again as a cascade goes on: each
    difference is published once.
    """

    def __init__(self, using: str) -> None:
        if using != log.database():
            raise UncoveredWrite(
                f"A registered model was written to the database {using!r}, but the log is in"
                f" {log.database()!r}: no transaction spans both."
            )
        self._using = using
        self._before: dict[tuple[ModelPublisher, Any], Image | None] = {}

    def look(self, wanted: Targets) -> None:
        """Takes the images before the write, of those objects it has none of yet."""
        for publisher, pks in wanted.items():
            new = {pk for pk in pks if (publisher, pk) not in self._before}
            publisher.lock(new, self._using)
            images = publisher.images(new, self._using)
            for pk in new:
                self._before[publisher, pk] = images.get(pk)

    def publish(self, wanted: Targets) -> None:
        """Appends to the log what has changed since `look`, or since the last `publish`."""
        events: list[Event] = []
        for publisher, pks in wanted.items():
            images = publisher.images(pks, self._using)
            for pk in ordered(pks):
                after = images.get(pk)
                before = self._before.get((publisher, pk))
                events += publisher.differences(pk, before, after)
                self._before[publisher, pk] = after
        append(events, self._using)


def append(events: Sequence[Event], using: str) -> None:
    """Writes events into the log and, once they are committed, has them numbered."""
    if not events:
        return

    numbered = log.append(events)

    # No partial: Django asks a hook that fails for its name.
    def committed() -> None:
        meters.count(meters.APPENDED.first, len(events))
        sequencer.committed(numbered)

    transaction.on_commit(committed, using=using, robust=True)
