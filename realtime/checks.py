"""System checks: which writes would go by unpublished, and whether the database suits a log."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage, Error, Warning
from django.db import connections, router
from django.db.models import Model

from realtime import log
from realtime.events import MEMBER_LEFT
from realtime.publishing.coverage import CoveredManager
from realtime.publishing.publisher import ModelPublisher, registry
from realtime.publishing.querysets import CoveredQuerySet
from realtime.publishing.signals import watched_models


def check_coverage(**kwargs: Any) -> list[CheckMessage]:
    """Names the write paths of registered models that can't be covered."""
    found: list[CheckMessage] = []
    for model in watched_models():
        found += _managers(model)
        if not model._meta.proxy and router.db_for_write(model) != log.database():
            found.append(
                Error(
                    f"{model._meta.label} is written to the database"
                    f" {router.db_for_write(model)!r}, the log to {log.database()!r}.",
                    hint="One transaction must hold both: route them to the same database.",
                    obj=model,
                    id="realtime.E001",
                )
            )
    for publisher in registry:
        found += _publisher(publisher)
    return found


def _managers(model: type[Model]) -> Iterator[CheckMessage]:
    for manager in model._meta.managers:
        covered = isinstance(manager, CoveredManager)
        if covered and isinstance(manager.get_queryset(), CoveredQuerySet):
            continue
        yield Warning(
            f"Bulk writes by {model._meta.label}.{manager.name} are not published.",
            hint="It was added after the applications were loaded; declare it in the model.",
            obj=model,
            id="realtime.W001",
        )


def _publisher(publisher: ModelPublisher) -> Iterator[CheckMessage]:
    label = publisher.model._meta.label
    if not hasattr(publisher, "serializer_class"):
        yield Error(
            f"{type(publisher).__name__} has no serializer_class.",
            hint="It must say how its objects are represented.",
            obj=publisher.model,
            id="realtime.E002",
        )
    if type(publisher).channels is ModelPublisher.channels:
        yield Error(
            f"{type(publisher).__name__} does not define channels().",
            hint="It must say which channels its objects' changes reach.",
            obj=publisher.model,
            id="realtime.E003",
        )
    yield from _keys(publisher)
    if f"{publisher.name}.left" == MEMBER_LEFT:
        yield Warning(
            f"On a presence channel, events of {label} would pass for the channel's members.",
            hint=f"Give {type(publisher).__name__} another name than {publisher.name}.",
            obj=publisher.model,
            id="realtime.W004",
        )
    for field in publisher.model._meta.many_to_many:
        through: Any = field.remote_field.through
        related: Any = field.related_model
        if through._meta.auto_created:
            yield Warning(
                f"Deleting a {related._meta.label} takes it out of {label}.{field.name} without"
                " an event: Django sends no signal for the rows of an automatic table.",
                hint="Give the relation a model of its own (through=…) and follow it. If"
                f" {field.name} is neither represented nor decides on channels, nothing is lost:"
                ' add "realtime.W002" to SILENCED_SYSTEM_CHECKS.',
                obj=publisher.model,
                id="realtime.W002",
            )
        elif not any(_follows(publisher, base) for base in through.__mro__):
            yield Warning(
                f"{label}.{field.name} goes through {through._meta.label}, which"
                f" {type(publisher).__name__} does not follow.",
                hint=f"Add it to `follows` if {field.name} is represented or decides on channels.",
                obj=publisher.model,
                id="realtime.W003",
            )


def _keys(publisher: ModelPublisher) -> Iterator[CheckMessage]:
    """What it follows by something else than its objects' keys."""
    for label, name in publisher.follows.items():
        field: Any = apps.get_model(label)._meta.get_field(name)
        if not field.target_field.primary_key:
            yield Error(
                f"{type(publisher).__name__} follows {label} by {name}, which points to"
                f" {publisher.model._meta.label}.{field.target_field.name}.",
                hint="Objects are known by their primary keys: leave out `to_field`.",
                obj=publisher.model,
                id="realtime.E010",
            )


def _follows(publisher: ModelPublisher, model: type) -> bool:
    followed = {label.lower() for label in publisher.follows}
    meta = getattr(model, "_meta", None)
    return meta is not None and meta.label_lower in followed


def check_database(**kwargs: Any) -> list[CheckMessage]:
    """On SQLite a transaction that reads before it writes fails under load, unless it begins with
    the write lock. This asks the settings, not the database, so it needs no ``--database``."""
    alias = log.database()
    if connections[alias].vendor != "sqlite":
        return []
    options = connections[alias].settings_dict["OPTIONS"]
    if options.get("transaction_mode") in ("IMMEDIATE", "EXCLUSIVE"):
        return []
    return [
        Error(
            f"The SQLite database {alias!r} begins its transactions without the write lock.",
            hint='Set OPTIONS["transaction_mode"] = "IMMEDIATE".',
            id="realtime.E004",
        )
    ]
