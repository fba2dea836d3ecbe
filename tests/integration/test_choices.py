"""The channels that somebody can choose from."""

from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import (
    BaseAuthentication,
    BasicAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)

from realtime.channels import Registry, registry
from realtime.templatetags.realtime import stream_link
from realtime.views import StreamView
from todos.models import TodoList

pytestmark = pytest.mark.django_db


def names(choices: dict[str, list[tuple[str, str]]]) -> set[str]:
    return {name for channels in choices.values() for name, _ in channels}


def test_one_chooses_among_what_one_may_read(alice: Any, bob: Any, groceries: Any) -> None:
    TodoList.objects.create(name="Of bob", owner=bob)
    choices = registry.choices(alice, 10)
    mine = f"private-todo-list.{groceries.pk}"
    assert choices["private-todo-list.<int:pk>"] == [(mine, "Groceries")]
    assert names(choices) == registry.readable(alice, names(choices))
    assert len(names(choices)) == 3


def test_there_are_no_more_than_can_be_shown_and_the_newest_is_there(alice: Any) -> None:
    for name in "abcde":
        TodoList.objects.create(name=name, owner=alice)
    shown = registry.choices(alice, 3)["private-todo-list.<int:pk>"]
    assert [name for _, name in shown] == ["e", "d", "c"]


def test_rules_of_all_kinds_can_be_asked(alice: Any, groceries: Any) -> None:
    rules = Registry()
    rules.add("news", lambda user: True)
    rules.add("private-news", lambda user: True)
    rules.add("closed", lambda user: False)
    rules.add("room.<str:name>", lambda user: True)
    rules.add("of.<str:owner__username>.<int:pk>", lambda user: TodoList.objects.all())
    found = rules.choices(alice, 10)
    assert names(found) == {"news", "private-news", f"of.alice.{groceries.pk}"}
    assert names(rules.choices(AnonymousUser(), 10)) == {"news", f"of.alice.{groceries.pk}"}


def test_a_template_can_say_where_the_stream_is(client_of: Any, alice: Any, groceries: Any) -> None:
    answer = client_of(alice).get(f"/api/todo-lists/{groceries.pk}/")
    link = stream_link(answer)
    channel = f"private-todo-list.{groceries.pk}"
    assert link
    assert (link["url"], link["channels"]) == (f"/api/events/?channel={channel}", [channel])
    assert link["position"] in answer["Link"]
    assert stream_link(client_of(alice).options("/api/todo-lists/")) is None


class Elsewhere(BaseAuthentication):
    """Of a package that this one does not know."""

    def authenticate(self, request: Any) -> None:
        return None

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="api"'


@pytest.mark.parametrize(("ways", "given"), [
    ([TokenAuthentication, SessionAuthentication], ' -H "Authorization: Token $TOKEN"'),
    ([Elsewhere], ' -H "Authorization: Bearer $TOKEN"'),
    ([SessionAuthentication, BasicAuthentication], ' -b "sessionid=$SESSION"'),
    ([BasicAuthentication], ' -u "$USERNAME"'),
    ([], ""),
])  # fmt: skip
def test_the_page_has_a_command_that_this_project_understands(
    client: Any, monkeypatch: Any, ways: list[Any], given: str
) -> None:
    monkeypatch.setattr(StreamView, "authentication_classes", ways)
    page = client.get("/api/events/", headers={"Accept": "text/html"}).content.decode()
    assert f'>curl -N{given} "http://testserver/api/events/' in unescape(page)
