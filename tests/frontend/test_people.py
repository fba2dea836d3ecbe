"""Who looks at a list, and who edits what."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
from playwright.sync_api import expect

from tests.frontend.conftest import Visitor
from tests.servers import Server

Both = tuple[Visitor, Visitor]
Visit = Callable[..., Visitor]
MakeList = Callable[..., dict[str, Any]]


def test_who_looks_is_shown_once_however_many_tabs(both: Both) -> None:
    alice, bob = both
    faces = alice.page.locator("#present li")
    expect(faces).to_have_text(["bbob", "aalice (you)"])
    assert faces.nth(0).get_attribute("title") == "bob"
    colour = "(face) => getComputedStyle(face).backgroundColor"
    other = bob.page.locator("#present .avatar").nth(1)
    mine = faces.nth(0).locator(".avatar")
    assert mine.evaluate(colour) == other.evaluate(colour), "bob's colour, wherever he is seen"
    second = bob.context.new_page()
    second.goto(bob.page.url)
    expect(second.locator("#present li")).to_have_count(2)
    expect(faces).to_have_count(2)
    bob.page.close()
    alice.page.get_by_role("checkbox", name="Milk").check()
    expect(second.get_by_role("checkbox", name="Milk")).to_be_checked()
    expect(faces).to_have_count(2)
    second.close()
    expect(faces).to_have_text(["aalice (you)"])


def test_who_edits_is_said_at_the_item_until_it_ends(both: Both, visit: Visit) -> None:
    alice, bob = both
    height = "(item) => item.getBoundingClientRect().height"
    before = alice.item("Milk").evaluate(height)
    bob.rewrite("Milk", "Oat milk", save=False)
    tag = alice.item("Milk").locator(".tag")
    expect(tag).to_have_text("bbob is editing")
    assert alice.item("Milk").evaluate(height) == before
    expect(bob.page.locator(".tag")).to_have_count(0)
    late = visit("alice")
    late.page.goto(alice.page.url)
    expect(late.page.locator(".tag")).to_have_text("bbob is editing")
    bob.page.keyboard.press("Enter")
    expect(alice.item("Oat milk")).to_be_visible()
    expect(alice.page.locator(".tag")).to_have_count(0)
    bob.rewrite("Bread", "Rolls", save=False)
    expect(alice.page.locator(".tag")).to_have_text("bbob is editing")
    bob.page.keyboard.press("Escape")
    expect(alice.page.locator(".tag")).to_have_count(0)
    bob.page.get_by_role("button", name="Edit “Bread”").click()
    expect(alice.page.locator(".tag")).to_have_text("bbob is editing")
    bob.page.close()
    expect(alice.page.locator(".tag")).to_have_count(0)


_CROWD = """
from rest_framework.authtoken.models import Token
from todos.models import *
from django.contrib.auth.models import User
for name in {names}:
    user = User.objects.create(username=name)
    Membership.objects.create(todo_list_id={list}, user=user)
    print(Token.objects.create(user=user).key)
"""


def test_a_crowd_takes_no_more_room(visit: Visit, make_list: MakeList, server: Server) -> None:
    shown = make_list("a")
    alice = visit("alice")
    alice.open(shown["id"])
    faces = alice.page.locator("#present li")
    expect(faces).to_have_count(1)
    places = "[...document.querySelectorAll('.sheet *')].filter((e) => !e.closest('#present'))"
    boxes = f"{places}.map((e) => JSON.stringify(e.getBoundingClientRect()))"
    names = ["cleo", "dora", "emil", "fred", "gina"]
    tokens = server.shell(_CROWD.format(names=names, list=shown["id"])).split()
    expect(alice.page.locator(".people")).to_have_text("6 people")
    before = alice.page.evaluate(boxes)
    with ExitStack() as stack:
        for token in tokens:
            stack.enter_context(look(server, shown["id"], token))
        expect(faces.locator(".avatar")).to_have_text(["c", "d", "e", "+3"])
        expect(faces.nth(3)).to_contain_text("and fred, gina, alice (you)")
        assert alice.page.evaluate(boxes) == before
    expect(faces).to_have_count(1)


def look(server: Server, number: int, token: str) -> Any:
    url = f"{server.url}/api/events/?channel=presence-todo-list.{number}"
    return httpx.stream("GET", url, headers={"Authorization": f"Token {token}"}, timeout=60)
