"""Every way to write a registered model is published, once, and as it was."""

import json
import re
from base64 import b64decode

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, models, transaction
from nacl.secret import SecretBox
from pusher.crypto import generate_shared_secret
from rest_framework.exceptions import ValidationError
from rest_framework.test import APIClient

from realtime import log, sequencer, triggers
from realtime.events import EventId
from realtime.exceptions import InvalidChannel, InvalidEvent, NoEncryptionKey, UncoveredWrite
from tests.integration.conftest import Journal
from todos.models import Membership, TodoItem, TodoList
from todos.serializers import TodoItemSerializer
from todos.views import TodoItemViewSet


def user_channel(user):
    return f"private-user.{user.pk}"


def test_creating_and_deleting_reach_the_list_and_its_owner(alice):
    journal = Journal()
    todo_list = TodoList.objects.create(name="x", owner=alice)
    pk = todo_list.pk
    names = [f"private-todo-list.{pk}", user_channel(alice)]
    assert journal.types() == [f"todo-list.created {name}" for name in names]
    todo_list.delete()
    assert journal.told() == [("todo-list.deleted", name, {"id": pk}) for name in names]


def test_an_update_names_the_fields_that_changed(item, channel):
    journal = Journal()
    item.text, item.done = "Rye bread", True
    item.save()
    (event,) = journal.read()
    assert (event.type, event.channel) == ("todo-item.updated", channel)
    assert set(event.changed) == {"text", "done"}
    item.refresh_from_db()
    assert json.loads(event.data) == TodoItemSerializer(item).data


def test_a_save_that_changes_nothing_neither_writes_nor_publishes(item):
    journal = Journal()
    before = item.updated_at
    item.save()
    TodoItem.objects.get(pk=item.pk).save()
    item.refresh_from_db()
    assert (journal.read(), item.updated_at) == ([], before)


def test_what_is_published_is_the_row_and_not_the_instance(item):
    journal = Journal()
    stale = TodoItem.objects.get(pk=item.pk)
    TodoItem.objects.filter(pk=item.pk).update(done=True)
    stale.text = "Rye bread"
    stale.save(update_fields=["text"])
    last = json.loads(journal.read()[-1].data)
    assert (last["text"], last["done"]) == ("Rye bread", True)


def test_a_move_leaves_and_enters(item, channel, alice):
    other = TodoList.objects.create(name="Other", owner=alice)
    journal = Journal()
    item.todo_list = other
    item.save()
    left, entered = journal.told()
    assert left == ("todo-item.left", channel, {"id": item.pk})
    assert entered[:2] == ("todo-item.entered", f"private-todo-list.{other.pk}")


def test_deleting_a_list_tells_of_its_items_and_of_nothing_twice(groceries, channel, alice, bob):
    groceries.members.add(bob)
    TodoItem.objects.bulk_create(
        TodoItem(todo_list=groceries, text=str(n), position=n) for n in range(12)
    )
    journal = Journal()
    groceries.delete()
    told = journal.types()
    assert told[:12] == [f"todo-item.deleted {channel}"] * 12
    names = [channel, user_channel(alice), user_channel(bob)]
    assert told[12:] == [f"todo-list.deleted {name}" for name in names]


def test_deleting_a_user_tells_of_their_lists_and_of_those_they_left(
    groceries, channel, alice, bob
):
    own = TodoList.objects.create(name="Bob's", owner=bob)
    TodoItem.objects.create(todo_list=own, text="x")
    groceries.members.add(bob)
    gone = user_channel(bob)
    journal = Journal()
    bob.delete()
    told = journal.types()
    assert told.count(f"todo-list.left {gone}") == 1
    assert f"todo-list.updated {channel}" in told
    assert f"todo-list.deleted private-todo-list.{own.pk or 2}" in told
    assert f"todo-item.deleted private-todo-list.{own.pk or 2}" in told
    assert len(told) == len(set(told))


@pytest.mark.parametrize("way", ["add", "set", "create", "bulk", "rest"])
def test_sharing_enters_however_it_is_done(groceries, channel, alice, bob, way, client_of):
    journal = Journal()
    if way == "add":
        groceries.members.add(bob)
    elif way == "set":
        groceries.members.set([bob])
    elif way == "create":
        Membership.objects.create(todo_list=groceries, user=bob)
    elif way == "bulk":
        Membership.objects.bulk_create([Membership(todo_list=groceries, user=bob)])
    else:
        path = f"/api/todo-lists/{groceries.pk}/members/"
        assert client_of(alice).post(path, {"username": "bob"}).status_code == 201
    assert sorted(journal.types()) == sorted(
        [
            f"todo-list.updated {channel}",
            f"todo-list.updated {user_channel(alice)}",
            f"todo-list.entered {user_channel(bob)}",
        ]
    )


@pytest.mark.parametrize("way", ["remove", "clear", "delete", "queryset", "user"])
def test_unsharing_leaves_however_it_is_done(groceries, channel, alice, bob, way):
    groceries.members.add(bob)
    name = user_channel(bob)
    journal = Journal()
    if way == "remove":
        groceries.members.remove(bob)
    elif way == "clear":
        groceries.members.clear()
    elif way == "delete":
        Membership.objects.get(user=bob).delete()
    elif way == "queryset":
        Membership.objects.filter(user=bob).delete()
    else:
        bob.delete()
    assert sorted(journal.types()) == sorted(
        [
            f"todo-list.left {name}",
            f"todo-list.updated {channel}",
            f"todo-list.updated {user_channel(alice)}",
        ]
    )


def test_a_membership_that_moves_leaves_one_list_and_enters_another(groceries, alice, bob):
    other = TodoList.objects.create(name="Other", owner=alice)
    groceries.members.add(bob)
    journal = Journal()
    Membership.objects.filter(user=bob).update(todo_list=other)
    told = journal.told()
    assert ("todo-list.left", user_channel(bob), {"id": groceries.pk}) in told
    entered = [data["id"] for kind, name, data in told if kind == "todo-list.entered"]
    assert entered == [other.pk]


def test_bulk_writes_are_published_row_by_row(groceries, channel):
    journal = Journal()
    items = TodoItem.objects.bulk_create(
        TodoItem(todo_list=groceries, text=str(n), position=n) for n in range(12)
    )
    created = journal.told()
    assert [data["text"] for _, _, data in created] == [str(n) for n in range(12)]
    TodoItem.objects.filter(position__lt=2).update(done=True)
    assert journal.types() == [f"todo-item.updated {channel}"] * 2
    groceries.items.update(done=True)
    assert len(journal.read()) == 10
    for item in items[:3]:
        item.text = "new"
    TodoItem.objects.bulk_update(items[:3], ["text"])
    assert [data["text"] for _, _, data in journal.told()] == ["new"] * 3
    TodoItem.objects.filter(position__gte=6).delete()
    assert journal.types() == [f"todo-item.deleted {channel}"] * 6
    TodoItem.objects.update(done=True)
    assert journal.read() == []


def test_conflicts_are_published_as_what_came_of_them(groceries, alice, bob):
    groceries.members.add(bob)
    carol = User.objects.create(username="carol")
    journal = Journal()
    rows = [Membership(todo_list=groceries, user=user) for user in (bob, carol)]
    Membership.objects.bulk_create(rows, ignore_conflicts=True)
    assert f"todo-list.entered {user_channel(carol)}" in journal.types()
    existing = TodoItem.objects.create(todo_list=groceries, text="old")
    journal.read()
    TodoItem.objects.bulk_create(
        [
            TodoItem(id=existing.pk, todo_list=groceries, text="new", position=1),
            TodoItem(id=existing.pk + 50, todo_list=groceries, text="added", position=2),
        ],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["text"],
    )
    told = {(kind, data["text"]) for kind, _, data in journal.told()}
    assert told == {("todo-item.updated", "new"), ("todo-item.created", "added")}


def test_an_update_whose_effect_is_unknown_is_refused(groceries, bob):
    groceries.members.add(bob)
    journal = Journal()
    with pytest.raises(UncoveredWrite), transaction.atomic():
        Membership.objects.update(todo_list=models.F("todo_list"))
    assert journal.read() == []


@pytest.mark.django_db(transaction=True)
def test_a_save_outside_of_a_transaction_is_one(groceries, monkeypatch):
    journal = Journal()

    def fail(*args):
        raise ZeroDivisionError

    monkeypatch.setattr("realtime.log.append", fail)
    assert not connection.in_atomic_block
    with pytest.raises(ZeroDivisionError):
        TodoItem.objects.create(todo_list=groceries, text="without its event")
    with pytest.raises(ZeroDivisionError):
        TodoList.objects.filter(pk=groceries.pk).update(name="new")
    with pytest.raises(ZeroDivisionError):
        groceries.delete()
    assert not TodoItem.objects.exists()
    assert TodoList.objects.get().name == groceries.name
    assert journal.read() == []


@pytest.mark.django_db(transaction=True)
def test_a_deletion_that_fails_can_be_tried_again(groceries, channel, monkeypatch):
    item = TodoItem.objects.create(todo_list=groceries, text="x")
    journal = Journal()
    with monkeypatch.context() as patch:
        patch.setattr("realtime.log.append", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            item.delete()
    TodoItem.objects.filter(pk=item.pk).update(done=True)
    item.delete()
    assert journal.types() == [f"todo-item.updated {channel}", f"todo-item.deleted {channel}"]


def test_rolled_back_and_nested_savepoints_leave_nothing(groceries, item):
    journal = Journal()
    with transaction.atomic():
        item.text = "kept"
        item.save()
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            item.text = "dropped"
            item.save()
            groceries.items.all().delete()
            _ = 1 / 0
    assert [data["text"] for _, _, data in journal.told()] == ["kept"]


def test_the_admin_publishes(admin_client, groceries):
    journal = Journal()
    form = {"todo_list": groceries.pk, "text": "by the admin", "position": 1}
    assert admin_client.post("/admin/todos/todoitem/add/", form).status_code == 302
    assert journal.told()[0][2]["text"] == "by the admin"
    item = TodoItem.objects.get()
    chosen = {"action": "delete_selected", "_selected_action": [item.pk], "post": "yes"}
    assert admin_client.post("/admin/todos/todoitem/", chosen).status_code == 302
    assert journal.told()[0][2] == {"id": item.pk}


def test_fixtures_publish(item, tmp_path):
    path = tmp_path / "items.json"
    call_command("dumpdata", "todos.todoitem", output=str(path))
    TodoItem.objects.all().delete()
    journal = Journal()
    call_command("loaddata", str(path), verbosity=0)
    assert journal.told()[0][0] == "todo-item.created"


def test_a_failed_request_publishes_nothing(alice, groceries, item, monkeypatch):
    client = APIClient(raise_request_exception=False)
    client.force_authenticate(alice)
    journal = Journal()

    def fail(self, serializer):
        serializer.save()
        raise ZeroDivisionError

    monkeypatch.setattr("todos.views.TodoItemViewSet.perform_update", fail)
    assert client.patch(f"/api/todo-items/{item.pk}/", {"text": "no"}).status_code == 500
    item.refresh_from_db()
    assert (journal.read(), item.text) == ([], "Bread")


def test_a_mutation_id_is_on_the_events_of_its_own_request_only(alice, item, client_of):
    client, path = client_of(alice), f"/api/todo-items/{item.pk}/"
    journal = Journal()
    client.patch(path, {"text": "1"}, headers={"X-Mutation-ID": "m"})
    client.patch(path, {"text": "2"})
    assert [event.mutation for event in journal.read()] == ["m", None]


def test_triggers_are_logged_and_rolled_back_with_their_transaction(db):
    journal = Journal()
    triggers.trigger(["a", "b", "a"], "note", {"n": 1})
    with transaction.atomic():
        triggers.trigger("a", "phantom")
        transaction.set_rollback(True)
    assert journal.told() == [("note", "a", {"n": 1}), ("note", "b", {"n": 1})]


def test_an_ephemeral_trigger_is_in_no_log(db, monkeypatch):
    journal = Journal()
    sent = []
    monkeypatch.setattr(sequencer.broker(), "publish", sent.append)
    triggers.trigger("a", "typing", None, ephemeral=True)
    assert journal.read() == []
    assert [(event.type, event.data, event.id) for event in sent[0].events] == [
        ("typing", "null", None)
    ]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("a b", "note"), InvalidChannel),
        (("a", "no\nte"), InvalidEvent),
        (("a", "stream-open"), InvalidEvent),
        (("a", "note", object()), InvalidEvent),
        (("a", "note", float("nan")), InvalidEvent),
        (("realtime.control", "recheck", ["a"]), InvalidChannel),
        (("#server-to-user-", "note"), InvalidChannel),
        (("presence-a", "member.left", {"id": "1"}), InvalidEvent),
        (("private-encrypted-a", "note"), NoEncryptionKey),
    ],
)
def test_a_trigger_that_could_break_the_wire_is_refused(db, arguments, error):
    journal = Journal()
    with pytest.raises(error):
        triggers.trigger(*arguments)
    assert journal.read() == []


def test_a_trigger_may_exclude_a_connection_and_reach_a_user(db):
    journal = Journal()
    triggers.trigger(["a", "#server-to-user-7"], "note", socket_id="123.456")
    events = journal.read()
    assert [(e.channel, e.exclude) for e in events] == [
        ("a", "123.456"),
        ("#server-to-user-7", "123.456"),
    ]
    with pytest.raises(InvalidEvent):
        triggers.trigger("a", "note", socket_id="123")


def test_on_an_encrypted_channel_only_who_has_its_secret_can_read(db, settings):
    key = settings.PUSHER_ENCRYPTION_MASTER_KEY = b"k" * 32
    journal, names = Journal(), ["private-encrypted-a", "private-encrypted-b"]
    triggers.trigger([*names, "a"], "note", {"text": "Br\u00f6t"})
    *sealed, plain = journal.told()
    assert plain == ("note", "a", {"text": "Br\u00f6t"})
    for name, (_, channel, data) in zip(names, sealed, strict=True):
        assert (channel, set(data)) == (name, {"nonce", "ciphertext"})
        box = SecretBox(generate_shared_secret(name.encode(), key))
        text = box.decrypt(b64decode(data["ciphertext"]), b64decode(data["nonce"]))
        assert json.loads(text) == {"text": "Br\u00f6t"}


def test_a_refused_request_leaves_nothing_of_what_it_had_written(
    alice, item, client_of, monkeypatch
):
    journal = Journal()

    def refuse(self, serializer):
        serializer.save()
        raise ValidationError({"text": ["On second thoughts, no."]})

    monkeypatch.setattr("todos.views.TodoItemViewSet.perform_update", refuse)
    assert client_of(alice).patch(f"/api/todo-items/{item.pk}/", {"text": "x"}).status_code == 400
    item.refresh_from_db()
    assert (journal.read(), item.text) == ([], "Bread")


def test_a_reads_position_is_older_than_its_rows(alice, groceries, client_of, monkeypatch):
    Journal()  # Numbers what there is.
    queryset = TodoItemViewSet.get_queryset

    def written_meanwhile(self):
        TodoItem.objects.create(todo_list=groceries, text="just in time")
        Journal()
        return queryset(self)

    monkeypatch.setattr(TodoItemViewSet, "get_queryset", written_meanwhile)
    answer = client_of(alice).get("/api/todo-items/")
    (row,) = answer.json()["results"]
    position = re.search(r'last-event-id="(.+)"', answer["Link"])[1]
    (event,) = log.read_after(EventId.parse(position)).events
    assert json.loads(event.data) == row
