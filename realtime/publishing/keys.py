"""Keys of rows: as the database has them, in which order, and how their writers wait for others."""

from collections.abc import Collection, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Model
from django.db.models.expressions import DatabaseDefault

from realtime.database.chunks import chunked
from realtime.exceptions import UncoveredWrite

_BATCH = 10_000
"""Keys that are pruned at once."""


def key(model: type[Model], written: Any) -> Any:
    """A primary key as the database answers it, however somebody has written it down."""
    if hasattr(written, "resolve_expression"):
        raise UncoveredWrite(
            f"A key is set to an expression: which {model._meta.label} it means can't be known in"
            " advance."
        )
    try:
        if isinstance(written, tuple):
            parts = zip(model._meta.pk_fields, written, strict=True)
            return tuple(field.to_python(part) for field, part in parts)
        return model._meta.pk.to_python(written)
    except ValidationError:
        return written  # The database will refuse it in its own words.


def is_known(pk: Any) -> bool:
    """Whether this is all of a row's key: it may be made on insertion, or a part of it."""
    parts = pk if isinstance(pk, tuple) else (pk,)
    return all(part is not None and not isinstance(part, DatabaseDefault) for part in parts)


def ordered(pks: Iterable[Any]) -> list[Any]:
    """Keys once each, in one order for all writers: locks taken so can't deadlock."""
    return sorted(set(pks), key=lambda pk: (str(type(pk)), pk))


def lock(model: type[Model], pks: Iterable[Any], using: str) -> None:
    """Waits until no other transaction is writing rows of these keys, and holds them until this one
    ends. Without it, two could each publish an image that lacks the other's change. On SQLite it
    does so already: it has the only write lock."""
    if not connections[using].features.has_select_for_update:
        return
    missing: list[Any] = []
    for chunk in chunked(ordered(pks)):
        # In the order in which Django saves the parts of an object.
        for parent in _parents(model):
            _lock_rows(parent, chunk, using)
        found = _lock_rows(model, chunk, using)
        missing += (pk for pk in chunk if pk not in found)
    for chunk in chunked(missing):
        _lock_missing(model, chunk, using)
        _lock_rows(model, chunk, using)  # Which somebody had been inserting.


def _parents(model: type[Model]) -> list[type[Model]]:
    """The models in whose tables objects of `model` have a part under their key, from the top."""
    found: list[Any] = []
    key: Any = model._meta.pk
    while key.remote_field and key.remote_field.parent_link:
        found.insert(0, key.related_model)
        key = key.related_model._meta.pk
    return found


def _lock_rows(model: type[Model], pks: Collection[Any], using: str) -> set[Any]:
    """Locks the rows that there are of these keys, and answers which these are."""
    no_key = connections[using].features.has_select_for_no_key_update
    rows = model._base_manager.using(using).select_for_update(no_key=no_key)
    return set(rows.filter(pk__in=pks).order_by("pk").values_list("pk", flat=True))


def _lock_missing(model: type[Model], pks: Collection[Any], using: str) -> None:
    """Locks keys of which there is no row that could be locked, on PostgreSQL.

    A row that was deleted is written again when somebody saves an instance of it, or gives a new
    one its key. Whoever finds no row must not take one that appears a moment later for its own.

    They wait as all do who insert one unique value, or update one row. Advisory locks would say the
    same, but there is room for some thousands of these in the whole database, and an import may
    write more keys. The rows stay until they are pruned: to delete them here would have to look for
    them, and transactions that are serializable conflict over what they have looked at.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    label = model._meta.concrete_model._meta.label  # type: ignore[union-attr]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO realtime_key SELECT hashtextextended(name, 0)"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS names (name, place) ORDER BY place"
            " ON CONFLICT (key) DO UPDATE SET key = excluded.key",
            [[f"{label} {pk}" for pk in pks]],
        )


def prune(using: str) -> None:
    """Deletes the keys that nobody is writing now."""
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "DELETE FROM realtime_key WHERE key = ANY (ARRAY("
                "SELECT key FROM realtime_key LIMIT %s FOR UPDATE SKIP LOCKED))",
                [_BATCH],
            )
            if cursor.rowcount < _BATCH:
                return
