"""Keys of rows: as the database has them, in which order, and how their writers wait for others."""

from collections.abc import Collection, Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections
from django.db.models import Model

from realtime.database.chunks import chunked
from realtime.exceptions import UncoveredWrite


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
        found = _lock_rows(model, chunk, using)
        missing += (pk for pk in chunk if pk not in found)
    for chunk in chunked(missing):
        _lock_missing(model, chunk, using)
        _lock_rows(model, chunk, using)  # Which somebody had been inserting.


def _lock_rows(model: type[Model], pks: Collection[Any], using: str) -> set[Any]:
    """Locks the rows that there are of these keys, and answers which these are."""
    no_key = connections[using].features.has_select_for_no_key_update
    rows = model._base_manager.using(using).select_for_update(no_key=no_key)
    return set(rows.filter(pk__in=pks).order_by("pk").values_list("pk", flat=True))


def _lock_missing(model: type[Model], pks: Collection[Any], using: str) -> None:
    """Locks keys of which there is no row that could be locked, on PostgreSQL.

    A row that was deleted is written again when somebody saves an instance of it, or gives a new
    one its key. Whoever finds no row must not take one that appears a moment later for its own.

    They wait as all do who insert one unique value. Advisory locks would say the same, but there is
    room for some thousands of these in the whole database, and an import may write more keys.
    """
    connection = connections[using]
    if connection.vendor != "postgresql":
        return
    names = [f"{model._meta.label} {pk}" for pk in pks]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO realtime_key SELECT hashtextextended(name, 0)"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS names (name, place)"
            " ORDER BY place ON CONFLICT DO NOTHING",
            [names],
        )
        # Others wait for this transaction all the same, and nothing is left of it.
        cursor.execute(
            "DELETE FROM realtime_key WHERE key IN"
            " (SELECT hashtextextended(name, 0) FROM unnest(%s::text[]) AS name)",
            [names],
        )
