"""What the server refuses for good, above all when a list is taken away: the text stays, and the
page says what it knows."""

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Route, expect

from tests.frontend.conftest import Visitor
from tests.servers import wait_until

Both = tuple[Visitor, Visitor]
ITEMS = "**/api/todo-items/**"
KEPT = "JSON.stringify(Object.entries(localStorage).filter(([key]) => key.includes('unsent')))"
LOST = "Not saved: you can\u2019t see "


def list_of(visitor: Visitor) -> str:
    return visitor.page.url.rpartition("=")[2]


def expect_nothing_kept(visitor: Visitor) -> None:
    wait_until(lambda: visitor.page.evaluate(KEPT) == "[]", "everything to be sent")


def remove_bob(api: httpx.Client, number: str) -> None:
    api.delete(f"/api/todo-lists/{number}/members/bob/").raise_for_status()


def delete_list(api: httpx.Client, number: str) -> None:
    api.delete(f"/api/todo-lists/{number}/").raise_for_status()


def refuse_new(route: Route) -> None:
    if route.request.method == "POST":
        route.fulfill(status=400, json={"text": ["No pears."]})
    else:
        route.fallback()


def test_what_can_not_be_added_again_is_kept(both: Both) -> None:
    alice, bob = both
    bob.rewrite("Apples", "Pears", save=False)
    alice.page.get_by_role("button", name="Delete “Apples”").click()
    expect(bob.page.locator(".item.gone")).to_be_visible()
    bob.page.keyboard.press("Enter")
    card = bob.page.locator("#unsent .card-unsent")
    bob.page.route(ITEMS, refuse_new)
    card.get_by_role("button", name="Add it again").click()
    expect(card).to_contain_text("Not saved: No pears.")
    expect(card).to_contain_text("Add “Pears”")
    with bob.page.expect_response(lambda one: one.request.method == "POST"):
        card.get_by_role("button", name="Try again").click()
    expect(card).to_contain_text("Not saved: No pears.")
    assert "Pears" in bob.page.evaluate(KEPT)
    bob.page.reload()
    expect(card).to_contain_text("Add “Pears”")
    bob.page.unroute(ITEMS)
    card.get_by_role("button", name="Try again").click()
    expect(alice.texts).to_have_text(["Bread", "Milk", "Pears"])
    expect(card).to_have_count(0)
    expect_nothing_kept(bob)


def test_a_refused_addition_survives_each_attempt(both: Both) -> None:
    _, bob = both
    bob.page.route(ITEMS, refuse_new)
    bob.context.set_offline(True)
    bob.add("Pears")
    expect(bob.item("Pears")).to_contain_text("Waiting to be sent")
    bob.context.set_offline(False)
    card = bob.page.locator("#unsent .card-unsent")
    for _ in range(2):
        expect(card).to_contain_text("Add “Pears”")
        with bob.page.expect_response(lambda one: one.request.method == "POST"):
            card.get_by_role("button", name="Try again").click()
    expect(card).to_contain_text("Add “Pears”")
    assert "Pears" in bob.page.evaluate(KEPT)


@pytest.mark.parametrize("take", [remove_bob, delete_list])
def test_a_text_for_a_list_that_was_taken_away(
    both: Both, api: httpx.Client, take: Callable[..., None]
) -> None:
    _, bob = both
    bob.context.grant_permissions(["clipboard-read", "clipboard-write"])
    bob.rewrite("Apples", "Pears", save=False)
    take(api, list_of(bob))
    card = bob.page.locator("#unsent-elsewhere .card-unsent")
    expect(card).to_contain_text(f"{LOST}the list of “Apples” any more")
    expect(card).to_contain_text("You wrote: Pears")
    expect(card.get_by_role("button")).to_have_text(["Copy", "Discard"])
    bob.page.reload()
    expect(card).to_contain_text("You wrote: Pears")
    card.get_by_role("button", name="Copy").click()
    expect(bob.page.locator(".toast")).to_contain_text("Copied")
    assert bob.page.evaluate("navigator.clipboard.readText()") == "Pears"
    card.get_by_role("button", name="Discard").click()
    expect(card).to_have_count(0)
    expect(bob.page.locator("#panel")).to_be_focused()
    expect_nothing_kept(bob)


def test_a_list_that_comes_back_takes_the_text(both: Both, api: httpx.Client) -> None:
    alice, bob = both
    bob.rewrite("Apples", "Pears", save=False)
    number = list_of(bob)
    remove_bob(api, number)
    expect(bob.page.locator("#unsent-elsewhere")).to_contain_text("You wrote: Pears")
    api.post(f"/api/todo-lists/{number}/members/", json={"username": "bob"}).raise_for_status()
    card = bob.item("Apples").locator(".card-unsent")
    expect(card).to_contain_text("Change “Apples” to “Pears”")
    card.get_by_role("button", name="Try again").click()
    expect(alice.texts).to_have_text(["Bread", "Milk", "Pears"])
    expect(bob.page.locator(".card-unsent")).to_have_count(0)


def test_a_name_for_a_list_that_was_taken_away(both: Both, api: httpx.Client) -> None:
    _, bob = both
    bob.page.locator("h1 button").click()
    bob.page.get_by_role("textbox", name="Name of the list").fill("Pears")
    remove_bob(api, list_of(bob))
    card = bob.page.locator("#unsent-elsewhere .card-unsent")
    expect(card).to_contain_text("see the list “List” any more")
    expect(card).to_contain_text("You wrote: Pears")
    card.get_by_role("button", name="Make a new list").click()
    expect(bob.page.locator("#lists").get_by_role("link", name="Pears")).to_be_visible()
    expect(card).to_have_count(0)
    expect_nothing_kept(bob)


def test_an_addition_to_a_list_that_was_taken_away(both: Both, api: httpx.Client) -> None:
    _, bob = both
    bob.context.set_offline(True)
    bob.add("Salt")
    expect(bob.item("Salt")).to_contain_text("Waiting to be sent")
    remove_bob(api, list_of(bob))
    bob.listen()
    bob.context.set_offline(False)
    card = bob.page.locator("#unsent-elsewhere .card-unsent")

    def expect_card() -> None:
        expect(card).to_have_count(1)
        expect(card).to_be_visible()
        expect(card).to_contain_text(f"{LOST}its list any more")
        expect(card).to_contain_text("You wrote: Salt")
        expect(card.get_by_role("button")).to_have_text(["Copy", "Discard"])

    expect_card()
    bob.expect_said(f"{LOST}its list any more")
    assert not any("Not saved. Not saved" in one for one in bob.page.evaluate("said"))
    bob.page.reload()
    expect_card()
    expect(bob.page.locator("#connection")).to_have_text(f"{LOST}its list any more")


def test_a_list_that_is_taken_away_while_one_adds_to_it(both: Both) -> None:
    """The server refuses before the page has heard of it."""
    _, bob = both
    message = 'Invalid pk "1" - object does not exist.'
    refusal = {"status": 400, "json": {"todo_list": [message]}}
    bob.page.route("**/api/todo-items/", lambda route: route.fulfill(**refusal))
    bob.add("Salt")
    expect(bob.page.locator(".toast")).to_contain_text("deleted, or was not shared with you")
    expect(bob.page.locator("#add-text")).to_have_value("Salt")
