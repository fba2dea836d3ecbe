"""System checks, the prune command, and what can be said of rights without a server."""

import uuid
from types import ModuleType
from typing import ClassVar

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection, models
from django.test.utils import isolate_apps
from django.urls import include, path, re_path

from realtime import checks, log
from realtime.channels import Registry as ChannelRegistry
from realtime.channels import registry as channels
from realtime.events import Event
from realtime.publishing.publisher import ModelPublisher, Registry
from realtime.rights import revocation
from realtime.setup_checks import check_settings
from tests.logged import logged
from todos.models import TodoItem, TodoList
from todos.serializers import TodoItemSerializer


def found(**options):
    """What checks say of this project; tests have models of their own."""
    return [m for m in run_checks(**options) if "tests.kinds" not in str(m.obj)]


def test_this_project_has_no_uncovered_write_path(db):
    assert found(databases=["default"]) == []


class ItemPublisher(ModelPublisher):
    serializer_class = TodoItemSerializer

    def channels(self, obj):
        return []


def ids(monkeypatch, model, publisher_class=ItemPublisher):
    registry = Registry()
    registry.add(model, publisher_class)
    monkeypatch.setattr(checks, "registry", registry)
    monkeypatch.setattr(checks, "watched_models", lambda: [model])
    return [message.id for message in checks.check_coverage()]


@isolate_apps("todos")
def test_a_manager_that_is_not_covered_is_named(monkeypatch):
    class Late(models.Model):
        class Meta:
            app_label = "todos"

    assert ids(monkeypatch, Late) == ["realtime.W001"]


@isolate_apps("todos")
def test_an_automatic_table_is_named(monkeypatch):
    class Tag(models.Model):
        class Meta:
            app_label = "todos"

    class Tagged(models.Model):
        tags = models.ManyToManyField(Tag)

        class Meta:
            app_label = "todos"

    assert "realtime.W002" in ids(monkeypatch, Tagged)


def test_a_publisher_whose_events_would_pass_for_members_is_named(monkeypatch):
    class Named(ItemPublisher):
        name = "member"

    assert ids(monkeypatch, TodoItem, Named) == ["realtime.W004"]


def test_a_relation_that_is_not_followed_is_named(monkeypatch):
    assert ids(monkeypatch, TodoList) == ["realtime.W003"]


@isolate_apps("todos")
def test_what_is_followed_by_another_field_than_the_key_is_named(monkeypatch):
    class Followed(models.Model):
        by_name = models.ForeignKey(User, models.CASCADE, to_field="username")
        by_key = models.ForeignKey(User, models.CASCADE, related_name="followed")

        class Meta:
            app_label = "todos"

    class Publisher(ItemPublisher):
        follows: ClassVar[dict[str, str]] = {"todos.Followed": "by_key"}

    monkeypatch.setattr(checks.apps, "get_model", lambda label: Followed)
    assert ids(monkeypatch, TodoItem, Publisher) == []
    monkeypatch.setitem(Publisher.follows, "todos.Followed", "by_name")
    assert ids(monkeypatch, TodoItem, Publisher) == ["realtime.E010"]


def test_a_publisher_that_is_not_complete_is_named(monkeypatch):
    class Empty(ModelPublisher):
        pass

    assert set(ids(monkeypatch, TodoItem, Empty)) == {"realtime.E002", "realtime.E003"}


def test_a_log_in_another_database_is_named(monkeypatch):
    monkeypatch.setattr(log, "database", lambda: "elsewhere")
    assert "realtime.E001" in ids(monkeypatch, TodoItem)


def test_sqlite_without_the_write_lock_is_named(monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", {})
    (message,) = found()
    assert message.id == "realtime.E004"


PUSHER = {"PUSHER_APP_ID": "3", "PUSHER_KEY": "a-key", "PUSHER_SECRET": "anything: at all"}


@pytest.mark.parametrize(("wrong", "told"), [
    ({}, None),
    (dict.fromkeys(PUSHER, ""), None),
    (dict.fromkeys(PUSHER), None),
    ({"PUSHER_APP_ID": "", "PUSHER_SECRET": ""}, "missing: PUSHER_APP_ID, PUSHER_SECRET."),
    ({"PUSHER_SECRET": ""}, "missing: PUSHER_SECRET."),
    ({"PUSHER_APP_ID": "a b"}, "PUSHER_APP_ID is 'a b': "),
    ({"PUSHER_APP_ID": 3}, "PUSHER_APP_ID is 3: "),
    ({"PUSHER_KEY": "a/b"}, "PUSHER_KEY is 'a/b': "),
    ({"PUSHER_SECRET": b"of bytes"}, "PUSHER_SECRET is wrong: "),
])  # fmt: skip
def test_half_of_pusher_s_application_is_named(settings, wrong, told):
    for name, value in {**PUSHER, **wrong}.items():
        setattr(settings, name, value)
    found = [message for message in check_settings() if message.id == "realtime.E011"]
    assert len(found) == bool(told)
    for message in found:
        assert told in message.msg
        assert "of bytes" not in message.msg


def nothing(request):
    """A view that nobody sees."""


STREAMS = path("api/events/", include("realtime.urls"))
ADDRESSES = {
    "beside each other": ([STREAMS, path("api/event/", nothing)], []),
    "behind": (
        [STREAMS, path("api/", include([path("events/", nothing)]))],
        [f"{__name__}.nothing has the address /api/events/"],
    ),
    "before": (
        [re_path("^api/events/$", nothing), STREAMS],
        ["/api/events/ is the streams' address, but"],
    ),
    "in the way": (
        [path("api/<str:what>/", nothing), STREAMS],
        ["/api/events/ is the streams' address, but"],
    ),
    "what is left": ([STREAMS, path("api/<str:what>/", nothing), re_path("^api/.*$", nothing)], []),
}


@pytest.mark.parametrize("where", ADDRESSES)
def test_views_at_the_streams_address_are_named(settings, where):
    urlpatterns, told = ADDRESSES[where]
    settings.ROOT_URLCONF = ModuleType("urls")
    settings.ROOT_URLCONF.urlpatterns = urlpatterns
    found = check_settings()
    assert [message.id for message in found] == ["realtime.W011"] * len(told)
    assert all(one in message.msg for one, message in zip(told, found, strict=True))


@pytest.mark.django_db
def test_the_prune_command_says_what_it_did(capsys):
    logged([Event("a", "x", "1")])
    call_command("realtime_prune", max_events=0)
    assert capsys.readouterr().out == "Deleted 1 event. 0 remain.\n"
    for options in ({"max_events": -1}, {"max_age": -1.0}):
        with pytest.raises(CommandError):
            call_command("realtime_prune", **options)


@pytest.mark.django_db
def test_an_event_puts_just_the_channels_of_its_object_in_doubt(alice):
    # Now it is known which models the rules are about.
    channels.readable(alice, ["private-todo-list.1", "private-user.1"])
    subscribed = ["private-todo-list.1", "private-todo-list.11", "private-user.1", "news"]

    def doubtful(kind, data='{"id":1}', channel="private-user.9"):
        return revocation.doubtful([Event(channel, kind, data)], subscribed)

    assert doubtful("todo-list.left") == {"private-todo-list.1"}
    assert doubtful("todo-list.deleted") == {"private-todo-list.1"}
    assert doubtful("todo-list.updated") == set()
    assert doubtful("todo-item.deleted") == set()
    assert doubtful("something.deleted") == set()
    assert doubtful("recheck", '["news", "gone"]', revocation.CONTROL) == {"news"}
    assert doubtful("recheck", '["news"]', "news") == set()


@pytest.mark.django_db(transaction=True)
@isolate_apps("todos")
def test_channels_of_objects_whose_keys_are_no_numbers():
    class Thing(models.Model):
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)

        class Meta:
            app_label = "todos"

    with connection.schema_editor() as editor:
        editor.create_model(Thing)
    try:
        thing = Thing.objects.create()
        registry = ChannelRegistry()
        registry.add("thing-<str:pk>", lambda user: Thing.objects.all())
        mine = f"thing-{thing.pk}"
        names = [mine, f"thing-{uuid.uuid4()}", "thing-x", "thing-"]
        assert registry.readable(AnonymousUser(), names) == {mine}
        assert registry.readable(AnonymousUser(), ["thing-x"]) == set()
        assert registry.about("todos.thing", thing.pk, {mine, "thing-x"}) == {mine}
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Thing)
