"""What lists and items promise, whoever writes them."""

import json

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.management import call_command
from django.utils import timezone

from tests.integration.conftest import Journal
from todos.models import Membership, TodoItem, TodoList


@pytest.fixture
def untouched(item):
    """A check that neither the row nor the log has changed."""
    journal, before = Journal(), TodoItem.objects.values().get(pk=item.pk)

    def check():
        assert journal.read() == []
        assert TodoItem.objects.values().get(pk=item.pk) == before

    return check


@pytest.mark.parametrize("names", [None, [], ["text"], ["text", "done"], ["todo_list"], ["pk"]])
def test_saving_what_is_there_already_changes_nothing(item, untouched, names):
    item.save(update_fields=names) if names is not None else item.save()
    untouched()


def test_saving_another_field_than_the_changed_one_changes_nothing(item, untouched):
    item.text = "Rye bread"
    item.save(update_fields=["done"])
    untouched()


def test_a_copy_that_differs_only_in_its_time_changes_nothing(item):
    stale = TodoItem.objects.get(pk=item.pk)
    item.done = True
    item.save()
    journal = Journal()
    stale.done = True
    stale.save()
    assert journal.read() == []
    assert TodoItem.objects.get(pk=item.pk).updated_at == item.updated_at


def test_saving_some_fields_sets_the_time_too(item):
    before = item.updated_at
    item.done, item.text = True, "Rye bread"
    item.save(update_fields=["done"])
    row = TodoItem.objects.get(pk=item.pk)
    assert (row.done, row.text) == (True, "Bread")
    assert row.updated_at == item.updated_at > before


def test_fields_that_were_not_read_are_not_written(item):
    partly = TodoItem.objects.only("text", "position").get(pk=item.pk)
    TodoItem.objects.filter(pk=item.pk).update(done=True)
    partly.text = "Rye bread"
    partly.save()
    row = TodoItem.objects.get(pk=item.pk)
    assert (row.text, row.done) == ("Rye bread", True)


def test_what_updates_by_expression_is_written(item):
    from django.db.models import F

    item.position = F("position") + 1
    item.save()
    row = TodoItem.objects.get(pk=item.pk)
    assert row.position == TodoItem.STEP + 1


def test_a_list_is_seen_once_however_many_share_it(groceries, alice, bob, django_user_model):
    carol = django_user_model.objects.create_user("carol")
    groceries.members.add(alice, bob, carol)
    TodoItem.objects.create(todo_list=groceries, text="x")
    for user in (alice, bob, carol):
        assert list(TodoList.objects.visible_to(user)) == [groceries]
        assert TodoItem.objects.visible_to(user).count() == 1
    for nobody in (AnonymousUser(), django_user_model.objects.create_user("dave")):
        assert not TodoList.objects.visible_to(nobody).exists()
        assert not TodoItem.objects.visible_to(nobody).exists()


@pytest.mark.parametrize("role", ["owner", "member"])
def test_renaming_a_user_is_an_update_of_each_list_that_shows_the_name(
    groceries, alice, bob, client_of, role
):
    groceries.members.add(bob)
    TodoList.objects.create(name="Somebody else's", owner=bob if role == "owner" else alice)
    user = alice if role == "owner" else bob
    journal = Journal()
    user.username = "renamed"
    user.save()
    events = [e for e in journal.read() if json.loads(e.data)["id"] == groceries.pk]
    assert {event.type for event in events} == {"todo-list.updated"}
    assert {event.channel for event in events} == {
        f"private-todo-list.{groceries.pk}",
        f"private-user.{alice.pk}",
        f"private-user.{bob.pk}",
    }
    shown = client_of(bob).get(f"/api/todo-lists/{groceries.pk}/").json()
    assert all(json.loads(event.data) == shown for event in events)
    assert "renamed" in {shown["owner"]["username"], *(m["username"] for m in shown["members"])}


def test_a_user_who_only_logs_in_changes_no_list(groceries, alice):
    journal = Journal()
    alice.last_login = timezone.now()
    alice.save(update_fields=["last_login"])
    alice.first_name = "Alice"
    alice.save()
    assert journal.read() == []


def test_the_demo_can_be_repeated_whatever_became_of_it(db, capsys, django_user_model):
    call_command("demo")
    alice, bob = (django_user_model.objects.get(username=name) for name in ("alice", "bob"))
    groceries = TodoList.objects.get(name="Groceries")
    assert (groceries.owner, list(groceries.members.all())) == (alice, [bob])
    assert groceries.items.count() == 3
    assert all(user.check_password("realtime") for user in (alice, bob))
    journal = Journal()
    call_command("demo")
    assert journal.read() == []
    another = TodoList.objects.create(name="Groceries", owner=alice)
    groceries.items.first().delete()
    call_command("demo")
    assert TodoList.objects.count() == 2
    assert (groceries.items.count(), another.items.count()) == (2, 0)
    assert "alice / realtime" in capsys.readouterr().out
    assert Membership.objects.count() == 1


def test_the_demo_has_an_administrator_under_debug_alone(db, capsys, settings, django_user_model):
    call_command("demo")
    assert not django_user_model.objects.filter(is_staff=True).exists()
    assert "DEBUG is off" in capsys.readouterr().err
    settings.DEBUG = True
    call_command("demo")
    admin = django_user_model.objects.get(is_superuser=True)
    assert (admin.get_username(), admin.is_staff) == ("admin", True)
    assert "admin / realtime" in capsys.readouterr().out
    # Who has the name already is given no rights.
    admin.is_superuser = admin.is_staff = False
    admin.save()
    call_command("demo")
    assert not django_user_model.objects.filter(is_staff=True).exists()
