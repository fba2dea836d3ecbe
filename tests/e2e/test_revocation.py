"""A right that ends while a stream is open ends its part on that channel, and nothing else. All the
ways in which one can end are in test_rights.py."""

import json
from contextlib import contextmanager

import httpx
import pytest

from tests.streams import Stream

SECONDS = 5.0
"""CONTRACT: within five seconds."""


@pytest.fixture
def shared(server):
    """A list of alice's, shared with bob: her client, its path, its channel."""
    with server.client() as alice:
        todo_list = alice.post("/api/todo-lists/", json={"name": "Shared"}).json()
        path = f"/api/todo-lists/{todo_list['id']}/"
        alice.post(f"{path}members/", json={"username": "bob"})
        yield alice, path, f"private-todo-list.{todo_list['id']}"


@pytest.fixture
def carol(server):
    """A user of this test's own, who may be ruined: her name and token."""
    made = server.shell(
        "from django.contrib.auth.models import User\n"
        "from rest_framework.authtoken.models import Token\n"
        "u = User.objects.create_user(f'carol{User.objects.count()}', password='realtime')\n"
        "print(u.username, u.pk, Token.objects.create(user=u).key)"
    )
    return made.split()


def forbidden(stream, timeout=SECONDS):
    """Waits for the stream's error; its channels."""
    while True:
        event = stream.next(timeout)
        if event.event == "stream-error":
            error = json.loads(event.data)
            assert error["condition"] == "forbidden"
            assert error["text"]
            return error["channels"]


def test_a_member_who_is_removed_hears_nothing_later(server, shared):
    alice, path, name = shared
    with Stream(server.url, [name], token=server.token("bob")) as stream:
        stream.opened()
        alice.delete(f"{path}members/bob/")
        assert forbidden(stream) == [name]
        alice.post("/api/todo-items/", json={"todo_list": path.split("/")[3], "text": "secret"})
        assert stream.rest() == []


def test_what_one_may_still_read_goes_on(server, shared):
    alice, path, name = shared
    with server.client("bob") as bob:
        own = bob.post("/api/todo-lists/", json={"name": "Own"}).json()
        kept = f"private-todo-list.{own['id']}"
        with Stream(server.url, [name, kept], token=server.token("bob")) as stream:
            stream.opened()
            alice.delete(f"{path}members/bob/")
            assert forbidden(stream) == [name]
            alice.post("/api/todo-items/", json={"todo_list": path.split("/")[3], "text": "no"})
            bob.post("/api/todo-items/", json={"todo_list": own["id"], "text": "yes"})
            assert stream.change()[1]["data"]["text"] == "yes"


def test_the_stream_of_a_deleted_list_ends(server, shared):
    alice, path, name = shared
    with Stream(server.url, [name], token=server.token("bob")) as stream:
        stream.opened()
        alice.delete(path)
        assert stream.change()[0] == "todo-list.deleted"
        assert forbidden(stream) == [name]
        assert stream.rest() == []


@contextmanager
def login(server, username):
    """A browser's client that has logged in by the page's form."""
    with httpx.Client(base_url=server.url, timeout=20, follow_redirects=True) as client:
        client.get("/accounts/login/")
        form = {"username": username, "password": "realtime"}
        headers = {"X-CSRFToken": client.cookies["csrftoken"]}
        client.post("/accounts/login/", data=form, headers=headers)
        assert "sessionid" in client.cookies
        yield client


def test_another_session_of_the_same_user_goes_on(server, carol):
    username, pk, token = carol
    name = f"private-user.{pk}"
    with (
        login(server, username) as browser,
        server.client() as alice,
        Stream(server.url, [name], token=token) as stream,
    ):
        stream.opened()
        session = {"sessionid": browser.cookies["sessionid"]}
        browser.post("/accounts/logout/", headers={"X-CSRFToken": browser.cookies["csrftoken"]})
        refused = httpx.get(f"{server.url}/api/events/?channel={name}", cookies=session)
        assert refused.status_code == 401
        todo_list = alice.post("/api/todo-lists/", json={"name": "x"}).json()
        path = f"/api/todo-lists/{todo_list['id']}/members/"
        alice.post(path, json={"username": username})
        assert stream.change()[0] == "todo-list.entered"
