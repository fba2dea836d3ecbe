"""A row is known by its key, however somebody has written that down, and as the database has it."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models import F

from realtime.exceptions import UncoveredWrite
from realtime.publishing.watch import Watch
from tests.integration.conftest import Journal
from todos.models import Membership, TodoItem, TodoList


@pytest.fixture
def channel(groceries):
    return f"private-todo-list.{groceries.pk}"


@pytest.fixture
def other(alice):
    return TodoList.objects.create(name="Other", owner=alice)


def written(item):
    """The same row, by somebody who has its keys as text."""
    return TodoItem(pk=str(item.pk), todo_list_id=str(item.todo_list_id), text="Rye bread")


def test_a_key_may_be_text(item, channel):
    journal = Journal()
    written(item).save()
    (updated,) = journal.told()
    assert (updated[0], updated[2]["id"]) == ("todo-item.updated", item.pk)
    TodoItem.objects.bulk_update([written(item)], ["text"])
    written(item).delete()
    assert journal.told() == [("todo-item.deleted", channel, {"id": item.pk})]


def test_a_foreign_key_may_be_text(groceries, bob, other):
    journal = Journal()
    entered = f"todo-list.entered private-user.{bob.pk}"
    Membership.objects.create(todo_list_id=str(groceries.pk), user=bob)
    assert entered in journal.types()
    Membership.objects.filter(user=bob).update(todo_list=str(other.pk))
    assert entered in journal.types()


def test_a_key_that_is_none_is_refused_by_django(groceries, alice):
    journal = Journal()
    with pytest.raises(ValueError, match="expected a number"), transaction.atomic():
        TodoItem(pk="x", todo_list=groceries, text="Milk").save()
    with pytest.raises(ValueError, match="expected a number"), transaction.atomic():
        Membership(todo_list_id="x", user=alice).save()
    assert journal.read() == []


def test_a_row_that_was_moved_meanwhile_is_taken_from_where_it_is(groceries, other, bob):
    membership = Membership.objects.create(todo_list=groceries, user=bob)
    Membership.objects.filter(pk=membership.pk).update(todo_list=other)
    journal = Journal()
    membership.delete()
    assert ("todo-list.left", f"private-user.{bob.pk}", {"id": other.pk}) in journal.told()


def test_two_of_an_upsert_may_be_the_same_row(groceries, channel):
    journal = Journal()
    TodoItem.objects.bulk_create(
        [TodoItem(id=900, todo_list=groceries, text=text, position=1) for text in "ab"],
        update_conflicts=True,
        unique_fields=["pk"],
        update_fields=["text"],
    )
    (created,) = journal.told()
    assert (created[0], created[2]["text"]) == ("todo-item.created", "b")


def test_an_upsert_that_conflicts_otherwise_is_an_error(groceries, bob):
    Membership.objects.create(todo_list=groceries, user=bob)
    journal = Journal()
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.bulk_create(
            [Membership(id=900, todo_list=groceries, user=bob)],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["user"],
        )
    assert journal.read() == []


def test_a_foreign_key_that_is_an_expression_is_refused(groceries, bob):
    journal = Journal()
    with pytest.raises(UncoveredWrite), transaction.atomic():
        Membership(todo_list_id=F("user"), user=bob).save()
    assert journal.read() == []


def test_a_row_that_was_inserted_is_new_although_somebody_looks_at_it(item, channel):
    journal = Journal()
    watch = Watch("default")
    watch.note_inserted(TodoItem, item.pk)
    wanted = watch.look_at_rows({TodoItem: [item.pk]})
    watch.publish(wanted)
    assert journal.types() == [f"todo-item.created {channel}"]
