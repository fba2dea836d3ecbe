"""The rows in the way of objects that are about to be inserted: an upsert updates these instead."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet

from realtime.database.chunks import chunked
from realtime.exceptions import UncoveredWrite

_AT_ONCE = 100
"""Objects whose rows are looked for by one statement."""


class Conflicts:
    """Those by certain unique fields."""

    def __init__(self, model: type[Model], unique_fields: Sequence[str] | None, using: str) -> None:
        if not unique_fields:
            raise UncoveredWrite("update_conflicts needs unique_fields on a registered model.")
        meta = model._meta
        names = [meta.pk.name if name == "pk" else name for name in unique_fields]
        self._fields: list[Any] = [meta.get_field(name) for name in names]
        self._rows: QuerySet[Any] = QuerySet(model, using=using)

    def rows(self, objs: Iterable[Any]) -> list[Any]:
        """The primary keys of the rows that have the same unique fields as one of these objects."""
        return [pk for part in self._parts(objs) for pk in part.values_list("pk", flat=True)]

    def divide(self, objs: Iterable[Any]) -> tuple[list[Any], list[Any]]:
        """Those objects that have a row in their way, and the others; perhaps among these also one
        whose fields the database takes for the same, and Python does not."""
        objs = list(objs)
        columns = [field.attname for field in self._fields]
        taken = {values for part in self._parts(objs) for values in part.values_list(*columns)}
        there = [obj for obj in objs if self._values(obj) in taken]
        return there, [obj for obj in objs if self._values(obj) not in taken]

    def _parts(self, objs: Iterable[Any]) -> Iterable[QuerySet[Any]]:
        for chunk in chunked(objs, _AT_ONCE):
            same = Q()
            for obj in chunk:
                same |= Q(**{field.attname: getattr(obj, field.attname) for field in self._fields})
            yield self._rows.filter(same)

    def _values(self, obj: Any) -> tuple[Any, ...]:
        try:
            return tuple(field.to_python(getattr(obj, field.attname)) for field in self._fields)
        except ValidationError:
            return ()
