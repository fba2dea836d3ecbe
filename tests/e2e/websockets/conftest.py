"""Clients, users and channels of the server with an app."""

from contextlib import ExitStack

import pytest

from tests.websockets import Client, backend_of


@pytest.fixture(scope="package")
def tokens(app_server):
    return {name: app_server.token(name) for name in ("alice", "bob")}


@pytest.fixture
def connect(app_server, tokens):
    """Connects clients, perhaps as users."""
    with ExitStack() as stack:

        def make(username="", **options):
            client = Client(app_server, token=tokens.get(username, ""), **options)
            return stack.enter_context(client)

        yield make


@pytest.fixture
def backend(app_server):
    return backend_of(app_server)


@pytest.fixture
def shared(app_server):
    """A list of alice's, shared with bob: her REST client, its id, its channel."""
    with app_server.client() as alice:
        todo_list = alice.post("/api/todo-lists/", json={"name": "Shared"}).json()["id"]
        alice.post(f"/api/todo-lists/{todo_list}/members/", json={"username": "bob"})
        yield alice, todo_list, f"private-todo-list.{todo_list}"


def add(client, todo_list, text):
    answer = client.post("/api/todo-items/", json={"todo_list": todo_list, "text": text})
    assert answer.status_code == 201
