"""A row is known by its key, however somebody has written that down, and as the database has it."""

import copy
import pickle

import pytest
from django.core.exceptions import FieldDoesNotExist
from django.db import IntegrityError, transaction
from django.db.models import F, signals

from realtime.exceptions import UncoveredWrite
from realtime.publishing.watch import Watch
from tests.integration.conftest import Journal
from todos.models import Membership, TodoItem


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


def test_an_update_of_a_key_makes_one_row_another(item, channel):
    journal = Journal()
    assert TodoItem.objects.filter(pk=item.pk).update(id=900) == 1
    assert [(kind, name, data["id"]) for kind, name, data in journal.told()] == [
        ("todo-item.deleted", channel, item.pk),
        ("todo-item.created", channel, 900),
    ]
    with pytest.raises(UncoveredWrite, match="which todos"), transaction.atomic():
        TodoItem.objects.update(id=F("id") + 1)
    assert journal.read() == []


def test_an_update_of_what_is_no_field_is_djangos_error(groceries):
    with pytest.raises(FieldDoesNotExist):
        TodoItem.objects.update(bogus=1)


def test_a_row_that_was_inserted_is_new_although_somebody_looks_at_it(item, channel):
    journal = Journal()
    watch = Watch("default")
    watch.note_inserted(TodoItem, item.pk)
    wanted = watch.look_at_rows({TodoItem: [item.pk]})
    watch.publish(wanted)
    assert journal.types() == [f"todo-item.created {channel}"]


def test_what_is_added_to_a_list_leaves_the_one_it_was_on(item, channel, other):
    journal = Journal()
    other.items.add(item)
    assert journal.types() == [
        f"todo-item.left {channel}",
        f"todo-item.entered private-todo-list.{other.pk}",
    ]


def test_what_an_update_matches_does_not_depend_on_what_it_has_updated(groceries):
    texts = ["open", *["" for _ in range(600)]]
    TodoItem.objects.bulk_create(
        TodoItem(todo_list=groceries, text=text, position=n) for n, text in enumerate(texts)
    )
    journal = Journal()
    rows = TodoItem.objects.filter(todo_list__items__text="open")
    assert rows.update(text="done") == len(texts)
    assert len(journal.read()) == len(texts)


def test_an_instance_can_be_copied_while_it_is_saved(item):
    copies = []

    def receive(instance, **kwargs):
        copies.append(pickle.loads(pickle.dumps(copy.deepcopy(instance))))

    signals.pre_save.connect(receive, sender=TodoItem)
    try:
        item.text = "Rye bread"
        item.save()
    finally:
        signals.pre_save.disconnect(receive, sender=TodoItem)
    assert copies == [item]


def test_many_that_are_new_are_inserted_at_once(groceries, django_assert_max_num_queries):
    items = [TodoItem(id=900 + n, todo_list=groceries, position=n) for n in range(100)]
    with django_assert_max_num_queries(20):
        TodoItem.objects.bulk_create(
            items, update_conflicts=True, unique_fields=["id"], update_fields=["text"]
        )


def test_whose_membership_is_added_to_a_list_enters_it(groceries, other, bob):
    membership = Membership.objects.create(todo_list=groceries, user=bob)
    journal = Journal()
    other.memberships.add(membership)
    told = [
        (kind, data["id"]) for kind, name, data in journal.told() if name.endswith(f"user.{bob.pk}")
    ]
    assert sorted(told) == [("todo-list.entered", other.pk), ("todo-list.left", groceries.pk)]
