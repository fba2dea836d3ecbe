"""Connects the models that publishers are about: signals before and after each write.

Django sends a deletion's signals with the same origin; the watch over it is kept there, so that one
which fails leaves nothing behind.
"""

from typing import Any

from django.apps import apps
from django.db import connections, transaction
from django.db.models import ForeignKey, ManyToManyField, Model, signals
from django.db.models.deletion import CASCADE, DO_NOTHING, PROTECT, RESTRICT

from realtime.publishing import going, receivers
from realtime.publishing.coverage import cover_managers, cover_saves
from realtime.publishing.deletion import Deletion
from realtime.publishing.keys import is_known, key
from realtime.publishing.publisher import ModelPublisher, registry
from realtime.publishing.watch import Watch, is_part, merge, symmetrical, targets

_DELETION = "_realtime_deletion"


def connect() -> None:
    """Covers every model that a registered publisher publishes or follows."""
    for model in watched_models():
        cover_saves(model)
        cover_managers(model)
        for signal, receiver in (
            (signals.pre_save, _before_save),
            (signals.post_save, _after_save),
            (signals.pre_delete, _before_delete),
            (signals.post_delete, _after_delete),
        ):
            signal.connect(receiver, sender=model, dispatch_uid=receivers.uid(model._meta.label))
        for field in detaching_fields(model):
            # A deletion by a proxy is sent as the proxy's.
            for related in _with_proxies(field.related_model):
                uid = receivers.uid(related._meta.label)
                signals.pre_delete.connect(_before_delete, sender=related, dispatch_uid=uid)
                signals.post_delete.connect(_after_delete, sender=related, dispatch_uid=uid)
    receivers.stand_first(signals.post_save)
    receivers.stand_first(signals.post_delete)
    for publisher in registry:
        both_ways = symmetrical(publisher.model)
        for many in publisher.model._meta.many_to_many:
            through: Any = many.remote_field.through
            if many in both_ways:
                cover_managers(through)
            if through._meta.auto_created:
                signals.m2m_changed.connect(
                    _many_to_many(publisher, many),
                    sender=through,
                    weak=False,
                    dispatch_uid=receivers.uid(f"{publisher.name} {many.name}"),
                )


def _with_proxies(model: Any) -> list[type[Model]]:
    concrete = model._meta.concrete_model
    return [one for one in apps.get_models() if one._meta.concrete_model is concrete]


def watched_models() -> list[type[Model]]:
    """The models whose writes are published, with their parents, children and proxies."""
    roots = {publisher.model for publisher in registry}
    for publisher in registry:
        roots |= {apps.get_model(label) for label in publisher.follows}
        roots |= {model for model in apps.get_models() if is_part(model, publisher.model)}
    return [model for model in apps.get_models() if issubclass(model, tuple(roots))]


def detaching_fields(model: type[Model]) -> "list[ForeignKey[Any, Any]]":
    """The foreign keys of `model` that a deletion elsewhere would set to something else."""
    return [
        field
        for field in model._meta.concrete_fields
        if isinstance(field, ForeignKey)
        and field.remote_field.on_delete not in (CASCADE, PROTECT, RESTRICT, DO_NOTHING)
    ]


def _before_save(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    watch = Watch(using)
    stored = [instance.pk] if is_known(instance.pk) else []
    wanted = watch.look_at_rows({sender: stored}, also=targets(sender, [instance]))
    going.begin(instance, watch, wanted)


def _after_save(sender: type[Model], instance: Model, using: str, **kwargs: Any) -> None:
    if begun := going.end(instance):
        watch, wanted = begun
        # The row is not to be committed without its event, whoever catches what is raised.
        with transaction.mark_for_rollback_on_error(using):
            watch.publish(merge(wanted, targets(sender, [instance])))


def _before_delete(
    sender: type[Model], instance: Model, using: str, origin: Any = None, **kwargs: Any
) -> None:
    holder = instance if origin is None else origin
    deletion = vars(holder).get(_DELETION)
    if deletion is None or not deletion.begin(sender, instance):
        # None yet, or one that failed half-way and is tried again.
        deletion = vars(holder)[_DELETION] = Deletion(holder, using)
        deletion.begin(sender, instance)


def _after_delete(sender: type[Model], instance: Model, origin: Any = None, **kwargs: Any) -> None:
    holder = instance if origin is None else origin
    deletion = vars(holder).get(_DELETION)  # None if its first signals were muted.
    if deletion is not None and deletion.finish(sender, instance):
        del vars(holder)[_DELETION]


def _many_to_many(publisher: ModelPublisher, field: "ManyToManyField[Any, Any]") -> Any:
    """The receiver for changes of a many-to-many relation without a model of its own."""

    def receive(
        instance: Model, action: str, reverse: bool, pk_set: set[Any] | None, using: str, **_: Any
    ) -> None:
        if action.startswith("post_"):
            if begun := going.end(instance):
                watch, wanted = begun
                watch.publish(wanted)
            return
        both_ways = field.remote_field.symmetrical
        if not reverse and (not both_ways or action == "pre_add"):
            pks = {key(publisher.model, instance.pk)}
        elif pk_set is not None:
            pks = pk_set
        else:
            _seal(instance, using)
            related = publisher.model._base_manager.using(using).filter(**{field.name: instance})
            pks = set(related.values_list("pk", flat=True))
        if both_ways:
            pks = {*pks, key(publisher.model, instance.pk)}
        watch = Watch(using)
        watch.look({publisher: pks})
        going.begin(instance, watch, {publisher: pks})

    return receive


def _seal(instance: Model, using: str) -> None:
    """From here on, nobody relates anything to a row: what all is about to be cleared would go
    unseen. Whoever inserts a reference to it has to lock it, too."""
    if connections[using].features.has_select_for_update:
        rows = type(instance)._base_manager.using(using).select_for_update()
        list(rows.filter(pk=instance.pk).values_list("pk"))
