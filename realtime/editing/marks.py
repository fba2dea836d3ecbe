"""Who is editing an object: shown to all who see it, until they say that it is over, or stop saying
that it goes on.

A *mark* is a tab in which a user edits an object, with a lease that the tab renews. A user's first
mark on an object and the last one's end are events in the log, on the object's channels, written in
the transaction that changes the marks: ``<model>.editing`` and ``<model>.editing-ended``. Each has
all who are editing the object then, so that it doesn't matter what was known before.

Whoever changes an object's marks holds a lock of its name, not of its row: its writers do not wait.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, NamedTuple

from django.db import OperationalError, connections, transaction
from django.db.models import Case, Model, QuerySet, When
from django.db.models.functions import Cast, Now
from rest_framework.utils.encoders import JSONEncoder

from realtime import events
from realtime.conf import settings
from realtime.database import locks
from realtime.database.chunks import chunked
from realtime.events import Event
from realtime.exceptions import InvalidTab
from realtime.log import database
from realtime.models import Editor
from realtime.presence import profiles
from realtime.publishing.publisher import ModelPublisher, registry
from realtime.publishing.watch import append

BEGUN, ENDED = "editing", "editing-ended"
"""Second halves of the events' types."""

_TAB = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MAX_TABS = 10
"""Of a user on one object; the oldest ends when there are more."""
_TOGETHER = 100
"""Objects whose marks are looked at in one sweep."""


class Person(NamedTuple):
    """A user, as others see them."""

    id: str
    info: str
    """JSON text."""

    def as_dict(self) -> dict[str, Any]:
        """As REST and events have it."""
        return {"id": self.id, "info": json.loads(self.info)}


def check_tab(tab: str) -> str:
    """Returns `tab` if a tab may be called so, else raises `InvalidTab`."""
    if not isinstance(tab, str) or not _TAB.fullmatch(tab):
        raise InvalidTab("A tab's name is 1 to 64 characters out of letters, digits and -_")
    return tab


def begin(obj: Model, user: Any, tab: str) -> list[Person]:
    """Shows `user` as editing `obj` in `tab`, for as long as a lease; again, to go on. All who are
    editing it then.

    Whether they may change it is for the caller to know, in the same transaction at best. Raises
    `InvalidTab`, or `NotRegistered` if the object's model has no publisher.
    """
    check_tab(tab)
    person = Person(profiles.user_id(user), events.dumps(profiles.channel_data(user)["user_info"]))
    with transaction.atomic(using=database(), savepoint=False):
        marks = _hold(obj)
        own = [mark for mark in marks.live if mark.user_id == person.id]
        mark = next((mark for mark in own if mark.tab == tab), None)
        if mark is None:
            marks.drop(own[: max(0, len(own) + 1 - _MAX_TABS)])
            marks.add(person, tab)
        elif not mark.is_fresh:
            marks.renew(mark)
        return marks.settle()


def end(obj: Model, user: Any, tab: str) -> list[Person]:
    """Ends what `begin` has begun; does nothing if that is over. All who are editing it then.
    Raises as `begin` does."""
    own = profiles.user_id(user), check_tab(tab)
    with transaction.atomic(using=database(), savepoint=False):
        marks = _hold(obj)
        marks.drop([mark for mark in marks.live if (mark.user_id, mark.tab) == own])
        return marks.settle()


def editors(model: type[Model], pks: Iterable[Any]) -> dict[Any, list[Person]]:
    """Who is editing these objects of `model`, by primary key; those that nobody edits are left
    out."""
    by_key = {_key(model, pk): pk for pk in pks}
    found: dict[Any, dict[str, Person]] = {}
    for mark in _live(model).filter(object_id__in=list(by_key)).order_by("pk"):
        people = found.setdefault(by_key[mark.object_id], {})
        people.setdefault(mark.user_id, Person(mark.user_id, mark.info))
    return {pk: list(people.values()) for pk, people in found.items()}


def edited(queryset: "QuerySet[Any]") -> "QuerySet[Any]":
    """The objects of `queryset` that somebody is editing."""
    key = Cast("object_id", output_field=queryset.model._meta.pk)
    marks = _live(queryset.model).annotate(key=key)
    return queryset.filter(pk__in=marks.values("key"))


def sweep() -> None:
    """Ends the marks whose leases are over. An object whose marks somebody else is busy with is
    left to the next time."""
    over = _known().filter(expires_at__lte=Now())
    for name, key in over.order_by().values_list("name", "object_id").distinct()[:_TOGETHER]:
        _settle(name, key)


def leave(lost: Mapping[str, set[str]]) -> None:
    """Ends the marks of users on objects of channels that they may not read any more, by users'
    ids: nobody is let in to say that it is over. Who may still change an object all the same goes
    on by saying so. Marks that somebody else is busy with end with their lease."""
    objects: dict[tuple[str, str], set[str]] = {}
    for some in chunked(lost):
        for mark in _known().filter(user_id__in=some):
            if not lost[mark.user_id].isdisjoint(json.loads(mark.channels)):
                objects.setdefault((mark.name, mark.object_id), set()).add(mark.user_id)
    for (name, key), users in objects.items():
        _settle(name, key, users)


def _known() -> "QuerySet[Editor]":
    # Beside this process may run another version, with models that this one doesn't know.
    names = [publisher.name for publisher in registry]
    return Editor.objects.using(database()).filter(name__in=names)


def _settle(name: str, key: str, leaving: Collection[str] = ()) -> None:
    """Ends those marks of an object whose leases are over, and those of some users; does nothing if
    somebody else is busy with them."""
    alias = database()
    publisher = next(publisher for publisher in registry if publisher.name == name)
    with suppress(OperationalError), locks.impatience(alias), transaction.atomic(using=alias):
        locks.limit_pauses(alias)
        locks.take(alias, [_lock(name, key)], patient=False)
        marks = _Marks(publisher, key)
        marks.drop([mark for mark in marks.live if mark.user_id in leaving])
        marks.settle()


def _hold(obj: Model) -> "_Marks":
    """The marks of an object, which nobody else changes before the transaction ends."""
    publisher = registry.get(type(obj)._meta.concrete_model or type(obj))
    key = _key(publisher.model, obj.pk)
    locks.take(database(), [_lock(publisher.name, key)])
    return _Marks(publisher, key)


class _Marks:
    """The marks of one object, to be changed under its lock."""

    def __init__(self, publisher: ModelPublisher, key: str) -> None:
        self._publisher = publisher
        self._key = key
        self._rows = Editor.objects.using(database()).filter(name=publisher.name, object_id=key)
        lease = timedelta(seconds=settings.EDITING_LEASE)
        rows = self._rows.annotate(
            is_live=Case(When(expires_at__gt=Now(), then=True), default=False),
            # Who goes on more often than need be costs no write.
            is_fresh=Case(When(expires_at__gt=Now() + lease * 2 / 3, then=True), default=False),
        )
        self._known: list[Any] = list(rows.order_by("pk"))
        self.live: list[Any] = [mark for mark in self._known if mark.is_live]
        self._new: Editor | None = None
        self._renewed: Editor | None = None

    def drop(self, marks: Collection[Editor]) -> None:
        """Ends some of those that are live."""
        self.live = [mark for mark in self.live if mark not in marks]

    def add(self, person: Person, tab: str) -> None:
        """Begins one that is not there."""
        where = {"name": self._publisher.name, "object_id": self._key}
        self._new = Editor(**where, user_id=person.id, tab=tab, info=person.info)
        self.live.append(self._new)

    def renew(self, mark: Editor) -> None:
        """Has a live one go on for a lease."""
        self._renewed = mark

    def settle(self) -> list[Person]:
        """Writes what has changed and tells of it; all who are editing the object now."""
        gone = [mark for mark in self._known if mark not in self.live]
        before, after = _people(self._known), _people(self.live)
        if not (gone or self._new or self._renewed):
            return list(after.values())
        queryset = self._publisher.get_queryset().using(database())
        obj = queryset.filter(pk=self._key).first()
        if obj is None:
            # Who saw the object has been told that it is gone, and its editors with it.
            self._rows.delete()
            return []
        channels = list(dict.fromkeys(self._publisher.channels(obj)))
        self._write(gone, events.dumps(channels))
        told = json.loads(self._known[0].channels) if self._known else channels
        append(list(self._events(obj.pk, before, after, channels, told)), database())
        return list(after.values())

    def _write(self, gone: Collection[Editor], channels: str) -> None:
        expires_at: Any = Now() + timedelta(seconds=settings.EDITING_LEASE)
        if gone:
            self._rows.filter(pk__in=[mark.pk for mark in gone]).delete()
        if self._renewed:
            self._rows.filter(pk=self._renewed.pk).update(expires_at=expires_at)
        self._rows.exclude(channels=channels).update(channels=channels)
        if self._new:
            self._new.channels, self._new.expires_at = channels, expires_at
            self._new.save(using=database(), force_insert=True)

    def _events(
        self,
        pk: Any,
        before: Mapping[str, Person],
        after: Mapping[str, Person],
        channels: Sequence[str],
        told: Collection[str],
    ) -> Iterator[Event]:
        """What those on the object's channels are told, some of whom may know nothing yet."""
        people = dict(before)
        for user_id in [user_id for user_id in before if user_id not in after]:
            person = people.pop(user_id)
            yield from self._say(ENDED, pk, person, people.values(), channels)
        for user_id in [user_id for user_id in after if user_id not in before]:
            person = people[user_id] = after[user_id]
            yield from self._say(BEGUN, pk, person, people.values(), channels)
        late = [channel for channel in channels if channel not in told]
        for person in list(after.values())[:1]:
            yield from self._say(BEGUN, pk, person, after.values(), late)

    def _say(
        self,
        what: str,
        pk: Any,
        person: Person,
        people: Iterable[Person],
        channels: Iterable[str],
    ) -> Iterator[Event]:
        everybody = [other.as_dict() for other in people]
        data = {"id": pk, "user": person.as_dict(), "editors": everybody}
        text = events.dumps(data, cls=JSONEncoder)
        for channel in channels:
            yield self._publisher.event(channel, what, text)


def _people(marks: Iterable[Editor]) -> dict[str, Person]:
    """Those who have these marks; with what they showed first."""
    found: dict[str, Person] = {}
    for mark in marks:
        found.setdefault(mark.user_id, Person(mark.user_id, mark.info))
    return found


def _live(model: type[Model]) -> "QuerySet[Editor]":
    rows = Editor.objects.using(database()).filter(expires_at__gt=Now())
    return rows.filter(name=registry.get(model._meta.concrete_model or model).name)


def _key(model: type[Model], pk: Any) -> str:
    """A primary key as text, as the database has it."""
    return str(model._meta.pk.get_db_prep_value(pk, connections[database()]))


def _lock(name: str, key: str) -> str:
    return f"realtime editing {name} {key}"
