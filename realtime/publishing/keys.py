"""Keys of rows that are not there: on PostgreSQL they can't be locked as rows can.

A row that was deleted is written again when somebody saves an instance of it, or gives a new one
its key. Whoever finds no row must not take one that appears a moment later for its own: so writers
of one missing key wait for each other. Who takes very many keys takes all of the model's instead,
for the database's table of locks is finite; then who only inserts waits for others who take as
many, and for who may update, but not for who only inserts a few: of two that insert a key, the
database refuses one.
"""

from collections.abc import Collection
from typing import Any

from django.db import connections
from django.db.models import Model

from realtime.database import locks

MOST = 500
"""Keys that a transaction locks one by one."""

_HELD = "_realtime_keys"


def hold(model: type[Model], pks: Collection[Any], using: str, *, inserts: bool) -> None:
    """Waits until nobody else is writing rows of these keys, and keeps others from it until the
    transaction ends. `inserts` says that nothing but an INSERT will be tried."""
    connection, label = connections[using], model._meta.label
    if connection.vendor != "postgresql":
        return
    inserted, written = f"{label} inserted", f"{label} written"
    transaction = locks.share(using, inserted if inserts else written)
    of, held = getattr(connection, _HELD, ("", 0))
    held = len(pks) + (held if of == transaction else 0)
    setattr(connection, _HELD, (transaction, held))
    if held <= MOST:
        locks.take(using, {f"{label} {pk}" for pk in pks})
    else:
        locks.take(using, {written} if inserts else {written, inserted})
