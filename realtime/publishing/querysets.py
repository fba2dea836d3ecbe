"""Querysets whose bulk writes are published, for these fire no signals."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any, ClassVar

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.db.models.sql import UpdateQuery

from realtime.database.chunks import chunked
from realtime.exceptions import UncoveredWrite
from realtime.publishing.conflicts import Conflicts
from realtime.publishing.keys import is_known, key
from realtime.publishing.watch import (
    Targets,
    Watch,
    followers,
    merge,
    publishers,
    stored_targets,
    targets,
)

_UPDATED_AT_ONCE = 30_000
"""Rows updated by one statement: which rows of a second one match would depend on the first."""

_TRIES = 3
"""Times that what conflicts with an object may have gone when it is looked for."""


class CoveredQuerySet(QuerySet[Any]):
    """A queryset whose bulk writes are published."""

    _original: ClassVar[type[QuerySet[Any]]]

    def __reduce__(self) -> Any:
        # Its own class is in no module.
        return _unpickled, (self._original,), self.__getstate__()

    def update(self, **kwargs: Any) -> int:
        """Updates the rows, and publishes what that changed."""
        if self.query.is_sliced or self.query.combinator:
            return super().update(**kwargs)  # Django refuses these.
        self._for_write = True
        # What Django refuses is refused before anything is locked.
        refuses: Any = self.query.chain(UpdateQuery)
        refuses.add_update_values(kwargs)
        # What updates pay no heed to.
        rows = self.order_by()
        rows.query.select_for_update = rows.query.distinct = False
        with transaction.atomic(using=self.db, savepoint=False):
            pks = list(dict.fromkeys(rows.values_list("pk", flat=True)))
            watch = Watch(self.db)
            affected = watch.look_at_rows({self.model: pks}, also=_new_targets(self.model, kwargs))
            # Only the rows looked at: others may have come to match in the meantime.
            count = sum(
                super(CoveredQuerySet, self.filter(pk__in=chunk)).update(**kwargs)
                for chunk in chunked(pks, _UPDATED_AT_ONCE)
            )
            watch.publish(affected)
        self._result_cache = None
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
        if ignore_conflicts and update_conflicts:
            return super().bulk_create(objs, batch_size, True, True)  # Django refuses it.
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
            if not all(is_known(obj.pk) for obj in written):
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


@cache
def covered(original: type, mixin: type) -> type:
    """A class that publishes what `original` writes; `mixin` says how."""
    # Same name and module: migrations write managers down by these.
    names = {"__module__": original.__module__, "__doc__": original.__doc__, "_original": original}
    bases = (original,) if issubclass(original, mixin) else (mixin, original)
    return type(original.__name__, bases, names)


def _unpickled(original: Any) -> QuerySet[Any]:
    kind: Any = covered(original, CoveredQuerySet)
    return kind.__new__(kind)  # type: ignore[no-any-return]
