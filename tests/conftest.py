"""Fixtures for tests inside this process: users, lists, clients."""

import logging
from typing import Any

import pytest
from _pytest.nodeid import coerce_node_id
from django.core.cache import cache
from rest_framework.test import APIClient

# A line for each request of a client would hide all else that a failing test has to tell.
logging.getLogger("httpx").setLevel(logging.WARNING)

pytest_plugins = (
    "tests.services",
    "tests.pushpin",
    "tests.fronts",
    "tests.servers",
    "tests.hooks",
    "tests.rosters",
    "tests.websockets",
    "tests.own_project",
    "tests.browser",
)


@pytest.fixture(autouse=True)
def _fresh_throttles() -> None:
    cache.clear()


@pytest.fixture
def alice(db: Any, django_user_model: Any) -> Any:
    """A user."""
    return django_user_model.objects.create_user("alice", password="realtime")


@pytest.fixture
def bob(db: Any, django_user_model: Any) -> Any:
    """Another user."""
    return django_user_model.objects.create_user("bob", password="realtime")


@pytest.fixture
def groceries(alice: Any) -> Any:
    """A list of alice's, shared with nobody."""
    from todos.models import TodoList

    return TodoList.objects.create(name="Groceries", owner=alice)


@pytest.fixture
def item(groceries: Any) -> Any:
    """An item of that list."""
    from todos.models import TodoItem

    return TodoItem.objects.create(todo_list=groceries, text="Bread")


@pytest.fixture
def path(item: Any) -> str:
    """The item's address."""
    return f"/api/todo-items/{item.pk}/"


@pytest.fixture
def client_of() -> Any:
    """Makes REST clients that are logged in."""

    def make(user: Any) -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    return make


@pytest.fixture
def api(alice: Any, client_of: Any) -> APIClient:
    """Alice's REST client."""
    return client_of(alice)


@pytest.fixture
def bobs(bob: Any, client_of: Any) -> APIClient:
    """Bob's."""
    return client_of(bob)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Gives each test an id of its own: Schemathesis gives all operations the same one, and where
    tests are spread over processes, only one of them would run."""
    if not item.nodeid.endswith(item.name):
        file, _, _ = item.nodeid.partition("::")
        item._id = coerce_node_id(f"{file}::{item.name}")
