"""Covers the write paths of a model, so that no change of it goes by unpublished.

Signals tell of saves, of deletions with their cascades, and of many-to-many changes; managers
and querysets are given a class that publishes bulk writes; and a save outside of a transaction gets
one of its own, since Django would commit the row before the log's.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from functools import cache, wraps
from typing import Any

from django.db import IntegrityError, router, transaction
from django.db.models import Model, Q, QuerySet

from realtime.database.chunks import chunked
from realtime.exceptions import UncoveredWrite
from realtime.publishing.watch import Targets, Watch, followers, merge, stored_targets, targets


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
            affected = stored_targets(self.model, pks, self.db)
            _add_new_parents(affected, self.model, kwargs)
            watch.look(affected)
            # Only the rows looked at: others may have come to match in the meantime.
            count = sum(
                super(CoveredQuerySet, self.filter(pk__in=chunk)).update(**kwargs)
                for chunk in chunked(pks)
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
            if ignore_conflicts:
                written = self._insert_each(objs, batch_size)
            elif update_conflicts:
                existing = self._conflicting(objs, unique_fields)
                watch.look(existing)
                super().bulk_create(
                    objs,
                    batch_size=batch_size,
                    update_conflicts=True,
                    update_fields=update_fields,
                    unique_fields=unique_fields,
                )
                watch.publish(merge(existing, self._conflicting(objs, unique_fields)))
                return objs
            else:
                written = super().bulk_create(objs, batch_size=batch_size)
            if any(obj.pk is None for obj in written):
                raise UncoveredWrite("This database does not tell which rows it has inserted.")
            watch.publish(merge(wanted, targets(self.model, written)))
        return objs

    bulk_create.alters_data = True  # type: ignore[attr-defined]

    def _insert_each(self, objs: list[Any], batch_size: int | None) -> list[Any]:
        """Inserts those objects that conflict with no row; with a bulk statement the database
        would not tell which these are."""
        written = []
        for obj in objs:
            try:
                with transaction.atomic(using=self.db):
                    super().bulk_create([obj], batch_size=batch_size)
            except IntegrityError:
                # Raises again unless a conflict was the reason.
                super().bulk_create([obj], batch_size=batch_size, ignore_conflicts=True)
            else:
                written.append(obj)
        return written

    def _conflicting(self, objs: list[Any], unique_fields: Sequence[str] | None) -> Targets:
        """The targets of the rows that have the same unique fields as `objs`."""
        if not unique_fields:
            raise UncoveredWrite("update_conflicts needs unique_fields on a registered model.")
        names = [self.model._meta.pk.name if name == "pk" else name for name in unique_fields]
        columns = [self.model._meta.get_field(name).attname for name in names]
        pks: list[Any] = []
        for chunk in chunked(objs, 100):
            same = Q()
            for obj in chunk:
                same |= Q(**{column: getattr(obj, column) for column in columns})
            rows = self.model._base_manager.using(self.db).filter(same)
            pks += rows.values_list("pk", flat=True)
        return stored_targets(self.model, pks, self.db)


def _add_new_parents(affected: Targets, model: type[Model], update: dict[str, Any]) -> None:
    """Adds the objects that an update makes rows of `model` point to."""
    for publisher, column in followers(model):
        for name, value in update.items():
            if model._meta.get_field(name).attname != column:  # type: ignore[union-attr]
                continue
            if hasattr(value, "resolve_expression"):
                raise UncoveredWrite(
                    f"{model._meta.label}.{name} is set to an expression: which"
                    f" {publisher.model._meta.label} it points to can't be known in advance."
                )
            pk = value.pk if isinstance(value, Model) else value
            if pk is not None:
                affected.setdefault(publisher, set()).add(pk)


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


def cover_saves(model: type[Model]) -> None:
    """Gives each save of `model` a transaction, if it is not in one."""
    if hasattr(model.save_base, "covered"):
        return
    original = model.save_base

    @wraps(original)
    def save_base(self: Model, *args: Any, using: str | None = None, **kwargs: Any) -> None:
        using = using or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using, savepoint=False):
            original(self, *args, using=using, **kwargs)  # type: ignore[misc]

    save_base.covered = True  # type: ignore[attr-defined]
    model.save_base = save_base  # type: ignore[method-assign]
