"""Publishers: which events a model's changes become. Registered as model admins are.

What a write changed is told from two images of each object, one taken before the write under a lock
on its row, one after it: its representation, and the channels it is on. Both are read from the
database in the writer's transaction, never from the instance in memory, which may be stale.
"""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db.models import Model, QuerySet
from rest_framework.serializers import BaseSerializer
from rest_framework.utils.encoders import JSONEncoder

from realtime import events
from realtime.database.chunks import chunked
from realtime.events import Event
from realtime.exceptions import AlreadyRegistered, NotRegistered
from realtime.names import check_name
from realtime.publishing.keys import ordered

_mutation: ContextVar[str | None] = ContextVar("mutation", default=None)


@contextmanager
def mutation(name: str | None) -> Iterator[None]:
    """Within it, events carry the name that a client gave to the write that causes them."""
    token = _mutation.set(name)
    try:
        yield
    finally:
        _mutation.reset(token)


@dataclass(frozen=True, slots=True)
class Image:
    """What the world sees of an object: its channels, and the JSON of each of its fields."""

    channels: tuple[str, ...]
    fields: Mapping[str, str]

    @property
    def data(self) -> str:
        """The representation, as JSON."""
        return "{" + ",".join(f"{events.dumps(k)}:{v}" for k, v in self.fields.items()) + "}"


class ModelPublisher:
    """Says which channels an object's changes reach, and how it is represented there.

    Subclass it in an application's ``realtime.py`` and register it for a model.
    """

    serializer_class: ClassVar[type[BaseSerializer[Any]]]
    """The representation; it must not depend on a request."""
    name: ClassVar[str] = ""
    """First half of the events' types; the model's name in kebab-case if empty."""
    follows: ClassVar[Mapping[str, str]] = {}
    """Other models on whose rows the representation or the channels depend, by label, with the
    name of their foreign key to this model: ``{"todos.Membership": "todo_list"}``."""

    timestamps: ClassVar[Sequence[str]] = ()
    """Fields that every write changes: they are not worth naming in an event's `changed`, unless
    nothing else has changed."""

    def __init__(self, model: type[Model]) -> None:
        self.model = model
        self.name = self.name or kebab(model.__name__)  # type: ignore[misc]
        self._serializers = threading.local()

    def __reduce__(self) -> Any:
        # An instance that is being saved, and may be copied meanwhile, has a watch about it.
        return _registered, (self.model,)

    @property
    def _serializer(self) -> BaseSerializer[Any]:
        # As for the items of a list, it is made once and told each object: its fields are most of
        # what a representation costs. One for each thread, for it may keep something meanwhile.
        made = getattr(self._serializers, "made", None)
        if made is None:
            made = self._serializers.made = self.serializer_class(context={"request": None})
        return made

    def channels(self, obj: Any) -> Iterable[str]:
        """The channels that the object's changes are sent to."""
        raise NotImplementedError(f"{type(self).__name__} must define channels().")

    def get_queryset(self) -> QuerySet[Any]:
        """Where objects are read for their images; select and prefetch here what these need."""
        return self.model._base_manager.all()

    def images(self, pks: Iterable[Any], using: str) -> dict[Any, Image]:
        """The images, as of now, of those objects that exist."""
        found = {}
        for chunk in chunked(ordered(pks)):
            for obj in self.get_queryset().using(using).filter(pk__in=chunk).order_by():
                found[obj.pk] = self._image(obj)
        return found

    def _image(self, obj: Model) -> Image:
        channels = tuple(dict.fromkeys(check_name(name) for name in self.channels(obj)))
        representation = self._serializer.to_representation(obj)
        fields = {
            str(name): events.dumps(value, cls=JSONEncoder)
            for name, value in representation.items()
        }
        return Image(channels, fields)

    def differences(self, pk: Any, before: Image | None, after: Image | None) -> list[Event]:
        """The events that tell those who saw `before` of `after`; None where there is no object."""
        old = before.channels if before else ()
        new = after.channels if after else ()
        gone = "left" if after else "deleted"
        come = "entered" if before else "created"
        told = [
            self.event(channel, gone, events.dumps({"id": pk}, cls=JSONEncoder))
            for channel in old
            if channel not in new
        ]
        if before and after and (changed := self._changed(before, after)):
            told += [
                self.event(channel, "updated", after.data, changed)
                for channel in new
                if channel in old
            ]
        if after:
            told += [self.event(channel, come, after.data) for channel in new if channel not in old]
        return told

    def _changed(self, before: Image, after: Image) -> tuple[str, ...]:
        names = dict.fromkeys([*after.fields, *before.fields])
        changed = [name for name in names if before.fields.get(name) != after.fields.get(name)]
        return tuple(name for name in changed if name not in self.timestamps) or tuple(changed)

    def event(
        self, channel: str, action: str, data: str, changed: tuple[str, ...] | None = None
    ) -> Event:
        """What tells on a channel that something, the `action`, has happened to an object."""
        return Event(channel, f"{self.name}.{action}", data, changed, _mutation.get())


def kebab(name: str) -> str:
    """A class's name as events, paths and channels have it: ``TodoItem`` is ``todo-item``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


class Registry:
    """The publishers of a project, by their concrete models."""

    def __init__(self) -> None:
        self._publishers: dict[type[Model], ModelPublisher] = {}

    def __iter__(self) -> Iterator[ModelPublisher]:
        return iter(self._publishers.values())

    def add(self, model: type[Model], publisher_class: type[ModelPublisher]) -> None:
        """Raises `AlreadyRegistered` for a second publisher of a model, or of a name."""
        publisher = publisher_class(model)
        for other in self._publishers.values():
            if other.model is model or other.name == publisher.name:
                raise AlreadyRegistered(
                    f"{model._meta.label}: {other.model._meta.label} is published as"
                    f" {other.name} already."
                )
        self._publishers[model] = publisher

    def get(self, model: type[Model]) -> ModelPublisher:
        """The publisher of a model; raises `NotRegistered`."""
        try:
            return self._publishers[model]
        except KeyError:
            raise NotRegistered(f"{model._meta.label} has no publisher.") from None

    def named(self, name: str) -> ModelPublisher | None:
        """The publisher whose events are called ``name.…``."""
        return next((p for p in self._publishers.values() if p.name == name), None)


registry = Registry()


def _registered(model: type[Model]) -> ModelPublisher:
    return registry.get(model)


def register(
    *models: type[Model],
) -> Callable[[type[ModelPublisher]], type[ModelPublisher]]:
    """Registers the decorated publisher for `models`, as ``admin.register`` does."""

    def decorate(publisher_class: type[ModelPublisher]) -> type[ModelPublisher]:
        for model in models:
            registry.add(model, publisher_class)
        return publisher_class

    return decorate
