"""Receivers of applications that write in the middle of a write: each change is told once."""

import threading
from contextlib import suppress
from weakref import WeakKeyDictionary

import pytest
from django.core import serializers
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import signals
from django.db.transaction import TransactionManagementError

from realtime.publishing import receivers, told
from realtime.publishing.signals import connect
from tests.integration.conftest import Journal
from todos.models import Membership, TodoItem, TodoList


@pytest.fixture
def receives():
    """Connects a receiver behind all that there are, as applications further on do."""
    connected = []

    def connect_one(signal, sender, receiver):
        signal.connect(receiver, sender=sender)
        connected.append((signal, sender, receiver))

    yield connect_one
    for signal, sender, receiver in connected:
        signal.disconnect(receiver, sender=sender)


def test_a_receiver_that_saves_again_is_told_afterwards(groceries, monkeypatch):
    """Such receivers are connected by ``models.py``, before anything of this package."""

    def receive(instance, **kwargs):
        if instance.text == "a":
            instance.text = "b"
            instance.save()

    signals.post_save.connect(receive, sender=TodoItem)
    signals.post_save.receivers.insert(0, signals.post_save.receivers.pop())
    signals.post_save.sender_receivers_cache.clear()
    connect()
    journal = Journal()
    try:
        TodoItem.objects.create(todo_list=groceries, text="a")
    finally:
        signals.post_save.disconnect(receive, sender=TodoItem)
    told = [(kind, data["text"]) for kind, _, data in journal.told()]
    assert told == [("todo-item.created", "a"), ("todo-item.updated", "b")]


@pytest.mark.parametrize("new", [True, False])
def test_one_that_saves_the_same_object_before_it_is_saved(receives, groceries, item, new):
    if new:
        item = TodoItem(todo_list=groceries, text="Milk")
    saving = []

    def receive(instance, **kwargs):
        if not saving:
            saving.append(instance)
            instance.text = "inner"
            instance.save()
            instance.text = "outer"

    receives(signals.pre_save, TodoItem, receive)
    journal = Journal()
    item.text = "Milk"  # Else there is nothing to save.
    item.save()
    told = [(kind, data["text"]) for kind, _, data in journal.told()]
    first = "created" if new else "updated"
    assert told == [(f"todo-item.{first}", "inner"), ("todo-item.updated", "outer")]


def test_one_that_saves_the_same_object_and_rolls_it_back(receives, groceries):
    saving = []

    def receive(instance, **kwargs):
        if not saving:
            saving.append(instance)
            with transaction.atomic():
                instance.save()
                transaction.set_rollback(True)

    receives(signals.pre_save, TodoItem, receive)
    journal = Journal()
    TodoItem(todo_list=groceries, text="Milk").save()
    assert [(kind, data["text"]) for kind, _, data in journal.told()] == [
        ("todo-item.created", "Milk")
    ]


def test_one_that_changes_what_a_row_points_to(receives, groceries, other, bob):
    """As somebody's who puts all that is new on a list of his own."""

    def receive(instance, **kwargs):
        instance.todo_list = other

    receives(signals.pre_save, Membership, receive)
    journal = Journal()
    Membership.objects.create(todo_list=groceries, user=bob)
    told = [kind for kind, name, data in journal.told() if data["id"] == other.pk]
    assert set(told) == {"todo-list.entered", "todo-list.updated"}


def test_one_that_writes_what_the_row_points_to(receives, groceries, bob):
    def receive(instance, **kwargs):
        instance.todo_list.name = "Shared"
        instance.todo_list.save()

    receives(signals.post_save, Membership, receive)
    journal = Journal()
    Membership.objects.create(todo_list=groceries, user=bob)
    names = [data["name"] for kind, name, data in journal.told() if name.startswith("private-todo")]
    assert names == ["Groceries", "Shared"]


@pytest.mark.parametrize("rolled_back", [True, False])
def test_one_that_deletes_what_is_about_to_be_deleted(receives, groceries, item, rolled_back):
    def receive(instance, **kwargs):
        with transaction.atomic():
            TodoItem.objects.filter(todo_list=instance).delete()
            transaction.set_rollback(rolled_back)

    receives(signals.pre_delete, TodoList, receive)
    journal = Journal()
    groceries.delete()
    told = [(kind, data["id"]) for kind, name, data in journal.told() if "item" in kind]
    assert told == [("todo-item.deleted", item.pk)]


@pytest.mark.django_db(transaction=True)
def test_a_deserialized_object_has_a_transaction(either_database, django_user_model):
    alice, _ = django_user_model.objects.get_or_create(username="alice")
    todo_list = TodoList.objects.create(name="Groceries", owner=alice)
    text = serializers.serialize("json", [todo_list])

    journal = Journal()
    (one,) = serializers.deserialize("json", text.replace("Groceries", "Again"))
    one.save()
    assert [(kind, data["name"]) for kind, _, data in journal.told()][:1] == [
        ("todo-list.updated", "Again")
    ]


@pytest.mark.django_db(transaction=True)
def test_what_a_deserialized_object_could_not_be_told_is_not_written(
    either_database, django_user_model, monkeypatch
):
    alice, _ = django_user_model.objects.get_or_create(username="alice")
    todo_list = TodoList.objects.create(name="Groceries", owner=alice)
    (one,) = serializers.deserialize(
        "json", serializers.serialize("json", [todo_list]).replace("Groceries", "Again")
    )

    def fail(*args):
        raise IntegrityError

    monkeypatch.setattr("realtime.log.append", fail)
    with pytest.raises(IntegrityError):
        one.save()
    todo_list.refresh_from_db()
    assert todo_list.name == "Groceries"


@pytest.mark.parametrize("signal", [signals.pre_save, signals.post_save], ids=["pre", "post"])
def test_one_that_refuses_lets_the_transaction_go_on(receives, groceries, signal):
    def refuse(**kwargs):
        raise ValidationError("no")

    receives(signal, TodoItem, refuse)
    journal = Journal()
    with transaction.atomic():
        with pytest.raises(ValidationError):
            TodoItem.objects.create(todo_list=groceries, text="Milk")
        rows = list(TodoItem.objects.values_list("text", flat=True))
    assert [data["text"] for _, _, data in journal.told()] == rows


def test_a_row_that_could_not_be_told_is_not_committed(groceries, monkeypatch):
    def fail(*args):
        raise IntegrityError

    monkeypatch.setattr("realtime.log.append", fail)
    with pytest.raises(TransactionManagementError), transaction.atomic():
        with suppress(IntegrityError):
            TodoItem.objects.create(todo_list=groceries, text="Milk")
        TodoItem.objects.exists()


@pytest.mark.parametrize(
    "muted", [["pre_save", "pre_delete"], ["post_save", "post_delete"], ["pre_save", "post_save"]]
)
def test_where_signals_are_muted_nothing_fails(groceries, item, muted):
    """As some tools for tests do."""
    with pytest.MonkeyPatch.context() as patch:
        for signal in (getattr(signals, name) for name in muted):
            patch.setattr(signal, "receivers", [])
            patch.setattr(signal, "sender_receivers_cache", WeakKeyDictionary())
        other = TodoItem.objects.create(todo_list=groceries, text="Milk")
        item.delete()
    journal = Journal()
    other.text = "Bread"
    other.save()
    other.delete()
    assert [kind for kind, _, _ in journal.told()] == ["todo-item.updated", "todo-item.deleted"]


def test_a_save_that_fails_leaves_nothing_behind(item):
    again = TodoItem(pk=item.pk, todo_list=item.todo_list, text="Milk")
    before = {*vars(again), "_state"}
    with pytest.raises(IntegrityError), transaction.atomic():
        again.save(force_insert=True)
    assert not {name for name in vars(again) if "realtime" in name} - before


def test_receivers_come_and_go_while_others_save(groceries):
    stop = threading.Event()

    def receive(**kwargs):
        pass

    def churn():
        while not stop.is_set():
            signals.pre_save.connect(receive, sender=TodoItem)
            signals.pre_save.disconnect(receive, sender=TodoItem)

    thread = threading.Thread(target=churn)
    thread.start()
    journal = Journal()
    try:
        for n in range(100):
            TodoItem.objects.create(todo_list=groceries, text=str(n))
    finally:
        stop.set()
        thread.join()
    assert len(journal.read()) == 100


def test_to_others_there_are_receivers_also_while_they_are_put_in_order(receives, monkeypatch):
    seen = []
    is_ours = receivers._is_ours

    def look(entry):
        seen.append(len(signals.pre_save.receivers))
        return is_ours(entry)

    receives(signals.pre_save, TodoItem, lambda **kwargs: None)
    monkeypatch.setattr(receivers, "_is_ours", look)
    receivers.stand_last(signals.pre_save)
    assert set(seen) == {len(signals.pre_save.receivers)}


def test_a_deletion_looks_at_what_is_told_meanwhile_once(receives, groceries, monkeypatch):
    """Else it would take the square of the time."""
    TodoItem.objects.bulk_create(
        TodoItem(todo_list=groceries, text="", position=n) for n in range(50)
    )
    looked = []
    since = told.since
    monkeypatch.setattr(told, "since", lambda *args: looked.append(args) or since(*args))

    def receive(instance, **kwargs):
        TodoList.objects.filter(pk=instance.todo_list_id).update(description=str(instance.pk))

    receives(signals.post_delete, TodoItem, receive)
    TodoItem.objects.all().delete()
    assert len(looked) <= 50 + 1
