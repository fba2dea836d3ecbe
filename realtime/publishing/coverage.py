"""Covers the write paths of a model, so that no change of it goes by unpublished.

Signals tell of saves, of deletions with their cascades, and of many-to-many changes; managers and
querysets are given classes that publish bulk writes; and a save outside of a transaction gets one
of its own, since Django would commit the row before the log's.
"""

from contextlib import nullcontext
from copy import copy
from functools import wraps
from typing import Any

from django.db import connections, router, transaction
from django.db.models import Model, QuerySet, signals
from django.db.models.options import Options
from django.utils.functional import cached_property

from realtime.publishing import receivers
from realtime.publishing.going import nothing_left
from realtime.publishing.querysets import CoveredQuerySet, covered

_saved_in_transactions: set[type[Model]] = set()


class CoveredManager:
    """A manager whose querysets are covered, however it makes them."""

    def get_queryset(self) -> QuerySet[Any]:
        """What the manager would return, of a covered class."""
        queryset: QuerySet[Any] = super().get_queryset()  # type: ignore[misc]
        if not isinstance(queryset, CoveredQuerySet):
            queryset.__class__ = covered(type(queryset), CoveredQuerySet)
        return queryset


class CoveredOptions(Options):  # type: ignore[type-arg]
    """A model's options, whose base manager is covered also when it is made anew, as it is when
    any other model is defined later. Related managers' add() and set() write by it."""

    @cached_property
    def base_manager(self) -> Any:
        manager = Options.base_manager.func(self)  # type: ignore[attr-defined]
        if not isinstance(manager, CoveredManager):
            kind: Any = type(manager)
            manager.__class__ = covered(kind, CoveredManager)
        return manager


def cover_managers(model: type[Model]) -> None:
    """Makes each manager of `model` a covered one, inherited ones included."""
    local = {manager.name for manager in model._meta.local_managers}
    for manager in model._meta.managers:
        if manager.name not in local:
            # The original belongs to an abstract base, and through it to other models.
            model.add_to_class(manager.name, copy(manager))
    for manager in model._meta.local_managers:
        if not isinstance(manager, CoveredManager):
            manager.__class__ = covered(type(manager), CoveredManager)  # type: ignore[arg-type]
    model._meta._expire_cache()  # type: ignore[attr-defined]
    model._meta.__class__ = CoveredOptions


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
        # None within another one: what receivers raise before the write is no reason for Django to
        # have that rolled back.
        within = connections[using].in_atomic_block
        own = nullcontext() if within else transaction.atomic(using=using)
        with own, nothing_left(self):
            original(self, raw, force_insert, force_update, using, update_fields)

    save_base.covered = True  # type: ignore[attr-defined]
    Model.save_base = save_base  # type: ignore[method-assign]
