"""The lists that measurements write to, and the size of a request's head."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from compare.models import AT_ONCE, LIFETIME, Scratch
from compare.sizes import head
from todos.models import TodoList

pytestmark = pytest.mark.django_db


def test_a_scratch_goes_when_its_time_is_over(alice: Any, groceries: Any) -> None:
    item = Scratch.make(alice)
    left = Scratch.sweep()
    assert TodoList.objects.filter(pk=item.todo_list_id).exists()
    assert left is not None
    assert timedelta(0) < left <= LIFETIME
    assert Scratch.sweep(timezone.now() + LIFETIME) is None
    assert list(TodoList.objects.all()) == [groceries]
    assert not Scratch.objects.exists()


def test_nobody_has_many_of_them(alice: Any, bob: Any) -> None:
    of_bob = Scratch.make(bob)
    made = [Scratch.make(alice).todo_list_id for _ in range(AT_ONCE + 2)]
    left = set(TodoList.objects.filter(owner=alice).values_list("pk", flat=True))
    assert left == set(made[-AT_ONCE:])
    assert TodoList.objects.filter(pk=of_bob.todo_list_id).exists()


def test_without_an_application_there_is_no_websocket_to_compare(
    client: Any, alice: Any, settings: Any
) -> None:
    settings.PUSHER_KEY = ""
    client.force_login(alice)
    assert b"data-never" in client.get("/compare/").content
    settings.PUSHER_APP_ID, settings.PUSHER_KEY, settings.PUSHER_SECRET = "1", "a", "b"
    assert b"data-never" not in client.get("/compare/").content


def test_a_scratch_is_made_for_who_is_logged_in(client: Any) -> None:
    assert client.post("/compare/scratch/").status_code == 401


def test_a_head_is_as_large_as_what_the_client_sent() -> None:
    sent = "Host: example.org\r\nContent-Type: text/plain\r\nCookie: sessionid=abc\r\n\r\n"
    environ = {
        "HTTP_HOST": "example.org",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "",
        "HTTP_COOKIE": "sessionid=abc",
        # Of a proxy, and of none at all.
        "HTTP_X_FORWARDED_FOR": "192.0.2.1",
        "REQUEST_METHOD": "GET",
        "wsgi.input": object(),
    }
    assert head(environ) == len(sent)
