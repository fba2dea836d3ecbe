"""Covers the write paths of a model, so that no change of it goes by unpublished.

Signals tell of saves, of deletions with their cascades, and of many-to-many changes; managers
and querysets are given a class that publishes bulk writes; and a save outside of a transaction gets
one of its own, since Django would commit the row before the log's.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import cache, partial, wraps
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import Model, QuerySet, signals
from django.db.models.expressions import DatabaseDefault

from realtime.database.chunks import chunked
from realtime.exceptions import UncoveredWrite
from realtime.publishing import receivers
from realtime.publishing.conflicts import Conflicts
from realtime.publishing.keys import key
from realtime.publishing.watch import (
    Targets,
    Watch,
    followers,
    merge,
    publishers,
    stored_targets,
    targets,
)

_saved_in_transactions: set[type[Model]] = set()

_UPDATED_AT_ONCE = 30_000
"""Rows updated by one statement: which rows of a second one match would depend on the first."""

_TRIES = 3
"""Times that what conflicts with an object may have gone when it is looked for."""


class CoveredQuerySet(QuerySet[Any]):
    """A queryset whose bulk writes are published."""

    def update(self, **kwargs: Any) -> int:
        """Updates the rows, and publishes what that changed."""
        if self.query.is_sliced or self.query.combinator:
            return super().update(**kwargs)  # Django refuses these.
        self._for_write = True
        with transaction.atomic(using=self.db, savepoint=False):
            pks = list(dict.fromkeys(self.order_by().values_list("pk", flat=True)))
            watch = Watch(self.db)
            affected = watch.look_at_rows({self.model: pks}, also=_new_targets(self.model, kwargs))
            # Only the rows looked at: others may have come to match in the meantime.
            count = sum(
                super(CoveredQuerySet, self.filter(pk__in=chunk)).update(**kwargs)
                for chunk in chunked(pks, _UPDATED_AT_ONCE)
            )
            watch.publish(affected)
        return count

    update.alters_data = True  # type: ignore[attr-defined]

    def bulk_create(  # type: ignore[override]
        self,
        objs: Iterable[Any],
        batch_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Sequence[str] | None = None,
        unique_fields: Sequence[str] | None = None,
    ) -> list[Any]:
        """Inserts the objects, and publishes those that are new or changed."""
        objs = list(objs)
        self._for_write = True
        with transaction.atomic(using=self.db, savepoint=False):
            watch = Watch(self.db)
            wanted = targets(self.model, objs)
            watch.look(wanted)
            if update_conflicts:
                update = partial(
                    super().bulk_create,
                    batch_size=batch_size,
                    update_conflicts=True,
                    update_fields=update_fields,
                    unique_fields=unique_fields,
                )
                conflicts = Conflicts(self.model, unique_fields, self.db)
                there = self._insert_or_update(objs, watch, conflicts, update)
                now = stored_targets(self.model, conflicts.rows(objs), self.db)
                watch.publish(merge(wanted, there, now))
                return objs
            if ignore_conflicts:
                written = objs
                if not self._insert_all(objs):
                    written = [obj for obj in objs if self._insert_one(obj)]
            else:
                written = super().bulk_create(objs, batch_size=batch_size)
            if any(obj.pk is None or isinstance(obj.pk, DatabaseDefault) for obj in written):
                raise UncoveredWrite(
                    "It is not known which rows were inserted: save them one by one."
                )
            # What was not written is perhaps somebody else's, and new since one had looked.
            watch.publish(targets(self.model, written))
        return objs

    def _insert_or_update(
        self, objs: list[Any], watch: Watch, conflicts: Conflicts, update: Callable[..., object]
    ) -> Targets:
        """Updates rows that were looked at, and inserts all else: one that somebody inserts at the
        same moment would be taken for new. Answers what there was before."""
        there = watch.look_at_rows({self.model: conflicts.rows(objs)})
        old, new = conflicts.divide(objs)
        update(old)
        if self._insert_all(new):
            for obj in new:
                watch.note_inserted(self.model, obj.pk)
            return there
        for obj in new:
            for _ in range(_TRIES):
                if self._insert_one(obj):
                    watch.note_inserted(self.model, obj.pk)
                    break
                rows = conflicts.rows([obj])
                there = merge(there, watch.look_again(self.model, rows))
                # Between the two, it may have been deleted again.
                if rows and conflicts.rows([obj]) == rows:
                    update([obj])
                    break
            else:
                update([obj])  # Says what it conflicts with, if not with these fields.
        return there

    def _insert_all(self, objs: list[Any]) -> bool:
        """Inserts objects, if none of them conflicts with anything."""
        try:
            with transaction.atomic(using=self.db):
                super().bulk_create(objs)
        except IntegrityError:
            return False
        return True

    def _insert_one(self, obj: Any) -> bool:
        """Inserts an object; False if it conflicts with a row. Of many at once, a database would
        not tell which do."""
        try:
            with transaction.atomic(using=self.db):
                super().bulk_create([obj])
        except IntegrityError:
            with transaction.atomic(using=self.db):
                # Raises again unless a conflict was the reason.
                super().bulk_create([obj], ignore_conflicts=True)
                transaction.set_rollback(True, using=self.db)
            return False
        return True


def _new_targets(model: type[Model], update: dict[str, Any]) -> Targets:
    """The objects that an update makes of rows of `model`, or makes these point to."""
    found: Targets = {}
    for name, value in update.items():
        field: Any = model._meta.get_field(name)
        pk = value.pk if isinstance(value, Model) else value
        if pk is None:
            continue
        for publisher, column in followers(model):
            if field.attname == column:
                found.setdefault(publisher, set()).add(key(publisher.model, pk))
        if field.primary_key:
            for publisher in publishers(model):
                found.setdefault(publisher, set()).add(key(publisher.model, pk))
    return found


class CoveredManager:
    """A manager whose querysets are covered, however it makes them."""

    def get_queryset(self) -> QuerySet[Any]:
        """What the manager would return, of a covered class."""
        queryset: QuerySet[Any] = super().get_queryset()  # type: ignore[misc]
        if not isinstance(queryset, CoveredQuerySet):
            queryset.__class__ = _covered(type(queryset), CoveredQuerySet)
        return queryset


@cache
def _covered(original: type, mixin: type) -> type:
    # Same name and module: migrations write managers down by these.
    names = {"__module__": original.__module__, "__doc__": original.__doc__}
    bases = (original,) if issubclass(original, mixin) else (mixin, original)
    return type(original.__name__, bases, names)


def cover_managers(model: type[Model]) -> None:
    """Makes each manager of `model` a covered one, inherited ones included."""
    local = {manager.name for manager in model._meta.local_managers}
    for manager in model._meta.managers:
        if manager.name not in local:
            # The original belongs to an abstract base, and through it to other models.
            model.add_to_class(manager.name, copy(manager))
    for manager in model._meta.local_managers:
        if not isinstance(manager, CoveredManager):
            manager.__class__ = _covered(type(manager), CoveredManager)  # type: ignore[arg-type]
    model._meta._expire_cache()  # type: ignore[attr-defined]
    # Related managers' add() and set() write by this one, which is among no model's managers.
    base = model._meta.base_manager
    if not isinstance(base, CoveredManager):
        base.__class__ = _covered(type(base), CoveredManager)  # type: ignore[arg-type]


def cover_saves(model: type[Model]) -> None:
    """Gives each save of `model` a transaction, if it is not in one."""
    _saved_in_transactions.add(model)
    # Deserialized objects are saved by this one, past what their models make of it.
    original = Model.save_base
    if hasattr(original, "covered"):
        return

    @wraps(original)
    def save_base(
        self: Model,
        raw: bool = False,
        force_insert: Any = False,
        force_update: bool = False,
        using: str | None = None,
        update_fields: Any = None,
    ) -> None:
        if type(self) not in _saved_in_transactions:
            original(self, raw, force_insert, force_update, using, update_fields)
            return
        receivers.stand_last(signals.pre_save)
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using, savepoint=False):
            original(self, raw, force_insert, force_update, using, update_fields)

    save_base.covered = True  # type: ignore[attr-defined]
    Model.save_base = save_base  # type: ignore[method-assign]
