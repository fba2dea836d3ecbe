"""An item that two people may edit, on SQLite and PostgreSQL, and what the log tells of it."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from realtime import models
from tests.integration.conftest import Journal
from todos.models import TodoItem, TodoList


@pytest.fixture
def user(either_database, django_user_model):
    """Finds users, or makes them: a database on PostgreSQL may have those of the demo."""
    return lambda name: django_user_model.objects.get_or_create(username=name)[0]


@pytest.fixture
def alice(user):
    return user("alice")


@pytest.fixture
def bob(user):
    return user("bob")


@pytest.fixture
def shared(alice, bob):
    """A list of alice's that is shared with bob."""
    todo_list = TodoList.objects.create(name="Groceries", owner=alice)
    todo_list.members.add(bob)
    return todo_list


@pytest.fixture
def item(shared):
    return TodoItem.objects.create(todo_list=shared, text="Bread")


@pytest.fixture
def journal(item):
    return Journal()


def told(journal):
    """What the log has told since: who, on which channel, and who is editing then."""
    found = []
    for kind, channel, data in journal.told():
        names = " ".join(person["info"]["name"] for person in data["editors"])
        who = data["user"]["info"]["name"]
        found.append(f"{who} {kind.partition('.')[2]} on {channel}: {names}")
    return found


def lapse(**which):
    """Lets the leases of marks run out."""
    models.Editor.objects.filter(**which).update(expires_at=Now() - timedelta(seconds=1))


def names(answer):
    return [person["info"]["name"] for person in answer.json()["editors"]]


def put(client, path, tab="a"):
    answer = client.put(f"{path}editing/{tab}/")
    assert answer.status_code == 200, answer.content
    return answer


def drop(client, path, tab="a"):
    assert client.delete(f"{path}editing/{tab}/").status_code == 204
