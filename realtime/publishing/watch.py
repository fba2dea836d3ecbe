"""The watch over a write: what objects were before it, and the events that tell the difference."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import ManyToManyField, Model

from realtime import log, meters, sequencer
from realtime.database.chunks import chunked
from realtime.events import Event
from realtime.exceptions import UncoveredWrite
from realtime.publishing import keys, told
from realtime.publishing.keys import is_known, key, ordered
from realtime.publishing.publisher import ModelPublisher, registry
from realtime.publishing.told import Images

Targets = dict[ModelPublisher, set[Any]]
"""Primary keys of the objects that a write may change, by their publishers."""

Rows = Mapping[type[Model], Collection[Any]]
"""Primary keys of rows, by their models."""


def followers(model: type[Model]) -> list[tuple[ModelPublisher, str]]:
    """The publishers that follow `model`, each with the column of its foreign key to theirs."""
    found = []
    for publisher in registry:
        for label, field in publisher.follows.items():
            followed = apps.get_model(label)
            if issubclass(model, followed):
                found.append((publisher, followed._meta.get_field(field).attname))
        # Django sends no signal of the other half of such a relation.
        for many in symmetrical(publisher.model):
            through: Any = many.remote_field.through
            if model is through:
                source: Any = through._meta.get_field(many.m2m_field_name())
                found.append((publisher, source.attname))
    return found


def symmetrical(model: type[Model]) -> "list[ManyToManyField[Any, Any]]":
    """The relations of `model` with itself that have no model of their own, and go both ways."""
    found = []
    for many in model._meta.many_to_many:
        relation: Any = many.remote_field
        if relation.symmetrical and relation.through._meta.auto_created:
            found.append(many)
    return found


def publishers(model: type[Model]) -> list[ModelPublisher]:
    """The publishers of what rows of `model` are a part of: of `model` itself, of models that it
    inherits from, and of those that inherit from it and have its key."""
    return [
        publisher
        for publisher in registry
        if issubclass(model, publisher.model) or is_part(model, publisher.model)
    ]


def is_part(parent: type[Model], model: type[Model]) -> bool:
    """Whether objects of `model` have a part of their columns in the table of `parent`, under their
    own key."""
    key: Any = model._meta.pk
    while key.remote_field and key.remote_field.parent_link:
        above = key.related_model._meta.concrete_model
        if above is parent._meta.concrete_model:
            return True
        key = above._meta.pk
    return False


def _has_key_of(model: type[Model], publisher: ModelPublisher) -> bool:
    """Whether rows of `model` have the key of the objects of which they are a part; of several
    parents, only the first's is one's own."""
    return (
        model._meta.concrete_model is publisher.model._meta.concrete_model
        or is_part(publisher.model, model)
        or is_part(model, publisher.model)
    )


def targets(model: type[Model], instances: Iterable[Model]) -> Targets:
    """The objects that show what is in these rows of `model`."""
    own = [(publisher, _has_key_of(model, publisher)) for publisher in publishers(model)]
    columns = followers(model)
    found: Targets = defaultdict(set)
    for instance in instances:
        for publisher, its_key in own:
            pk = instance.pk if its_key else instance._get_pk_val(publisher.model._meta)
            found[publisher].add(pk)
        for publisher, column in columns:
            found[publisher].add(getattr(instance, column))
    return _keyed(found)


def stored_targets(model: type[Model], pks: Iterable[Any], using: str) -> Targets:
    """As `targets`, of the rows as the database has them now."""
    pks = [pk for pk in pks if is_known(pk)]
    found: Targets = defaultdict(set)
    columns = followers(model)
    for publisher in publishers(model):
        if _has_key_of(model, publisher):
            found[publisher].update(pks)
        else:
            columns.append((publisher, publisher.model._meta.pk.attname))
    for publisher, column in columns:
        rows = model._base_manager.using(using).values_list(column, flat=True)
        for chunk in chunked(pks):
            found[publisher].update(rows.filter(pk__in=chunk))
    return _keyed(found)


def merge(*parts: Targets) -> Targets:
    """All targets of `parts` together."""
    merged: Targets = {}
    for part in parts:
        for publisher, pks in part.items():
            merged[publisher] = merged.get(publisher, set()) | pks
    return merged


def _keyed(found: Targets) -> Targets:
    return {
        publisher: pks
        for publisher, written in found.items()
        if (pks := {key(publisher.model, pk) for pk in written if is_known(pk)})
    }


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
        self._before: Images = {}
        self._looked_at = told.moment()
        self._inserted: set[tuple[ModelPublisher, Any]] = set()

    def look(self, wanted: Targets) -> None:
        """Takes the images before the write, of those objects it has none of yet."""
        for publisher, pks in wanted.items():
            new = {pk for pk in pks if (publisher, pk) not in self._before}
            keys.lock(publisher.model, new, self._using)
            images = publisher.images(new, self._using)
            for pk in new:
                self._before[publisher, pk] = images.get(pk)

    def look_at_rows(self, *rows: Rows, also: Targets | None = None) -> Targets:
        """As `look`, of the objects that show what the database has in these rows, and of others;
        answers which these are."""
        # Followed rows before what they point to, as Django's own locks and deletions go.
        for part in rows:
            for model, pks in part.items():
                if followers(model) and not publishers(model):
                    keys.lock(model, {key(model, pk) for pk in pks if is_known(pk)}, self._using)
        # What a row points to may change while the lock of what it pointed to is waited for.
        while True:
            stored = [
                stored_targets(model, pks, self._using)
                for part in rows
                for model, pks in part.items()
            ]
            wanted = merge(also or {}, *stored)
            if all((p, pk) in self._before for p, pks in wanted.items() for pk in pks):
                return wanted
            self.look(wanted)

    def note_inserted(self, model: type[Model], pk: Any) -> None:
        """A row was inserted under a key that was not known before."""
        for publisher in publishers(model):
            known = publisher, key(publisher.model, pk)
            self._before.setdefault(known, None)
            self._inserted.add(known)

    def look_again(self, model: type[Model], pks: Collection[Any]) -> Targets:
        """As `look_at_rows`, of rows that somebody else has inserted after one had looked."""
        for known in {(p, key(p.model, pk)) for p in publishers(model) for pk in pks}:
            if known not in self._inserted:
                self._before.pop(known, None)
        return self.look_at_rows({model: pks})

    def publish(self, wanted: Targets) -> None:
        """Appends to the log what has changed since `look`, or since it was told."""
        if not wanted:
            return
        self._before.update(told.since(self._looked_at, self._using))
        events: list[Event] = []
        now: Images = {}
        for publisher, pks in wanted.items():
            images = publisher.images(pks, self._using)
            for pk in ordered(pks):
                now[publisher, pk] = after = images.get(pk)
                before = self._before.get((publisher, pk))
                events += publisher.differences(pk, before, after)
        self._before.update(now)
        append(events, self._using, now)
        self._looked_at = told.moment()


def append(events: Sequence[Event], using: str, images: Images | None = None) -> None:
    """Writes events into the log and, once they are committed, has them numbered; `images` are what
    they tell of."""
    if not events:
        return

    numbered = log.append(events)

    # No partial: Django asks a hook that fails for its name.
    def committed() -> None:
        meters.count(meters.APPENDED.first, len(events))
        sequencer.committed(numbered)

    if images is not None:
        told.keep(images, committed)
    transaction.on_commit(committed, using=using, robust=True)
