"""What is written while the server can't be reached: kept, shown, and sent once."""

from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Request, Route, expect

from tests.frontend.conftest import Visitor

Visit = Callable[..., Visitor]
MakeList = Callable[..., dict[str, Any]]
WAITING = "Waiting to be sent"
ITEMS = "**/api/todo-items/**"


def fail_writes(route: Route) -> None:
    if route.request.method == "GET":
        route.fallback()
    else:
        route.abort()


def writes_of(visitor: Visitor) -> list[Request]:
    found: list[Request] = []
    visitor.page.on("request", lambda one: one.method in ("POST", "PATCH") and found.append(one))
    return found


def texts_in(api: httpx.Client, visitor: Visitor) -> list[str]:
    query = {"todo_list": visitor.page.url.rpartition("=")[2], "limit": 100}
    rows = api.get("/api/todo-items/", params=query).json()["results"]
    return [row["text"] for row in rows]


def test_what_is_done_offline_is_sent_in_order_on_return(both: tuple[Visitor, Visitor]) -> None:
    alice, bob = both
    sent = writes_of(alice)
    alice.context.set_offline(True)
    expect(alice.page.locator(".status").first).to_contain_text("Offline")
    expect(alice.page.locator("#connection")).to_contain_text("You are offline")
    alice.add("Salt")
    alice.rewrite("Salt", "Sea salt")
    alice.page.get_by_role("checkbox", name="Bread").check()
    expect(alice.item("Sea salt")).to_contain_text(WAITING)
    expect(alice.item("Bread")).to_contain_text(WAITING)
    expect(alice.page.locator(".status .badge").first).to_have_text("3 to be sent")
    alice.context.set_offline(False)
    expect(bob.texts).to_have_text(["Bread", "Milk", "Apples", "Sea salt"])
    expect(bob.page.get_by_role("checkbox", name="Bread")).to_be_checked()
    expect(alice.page.locator(".queued")).to_have_count(0)
    expect(alice.page.locator(".status .badge").first).to_be_hidden()
    expect(alice.page.locator("#connection")).to_have_text("Connected again.")
    bodies = [one.post_data_json for one in sent]
    assert [body.get("text") or body["done"] for body in bodies] == ["Salt", "Sea salt", True]


def test_what_waits_outlives_a_reload(both: tuple[Visitor, Visitor], api: httpx.Client) -> None:
    alice, bob = both
    alice.page.route(ITEMS, fail_writes)
    alice.add("Pepper")
    alice.page.get_by_role("button", name="Delete “Milk”").click()
    expect(alice.item("Pepper")).to_contain_text(WAITING)
    alice.page.reload()
    expect(alice.item("Pepper")).to_contain_text(WAITING)
    expect(alice.texts).to_have_text(["Bread", "Apples", "Pepper"])
    alice.page.unroute(ITEMS)
    alice.page.evaluate("dispatchEvent(new Event('online'))")
    expect(bob.texts).to_have_text(["Bread", "Apples", "Pepper"])
    expect(alice.page.locator(".queued")).to_have_count(0)
    assert texts_in(api, alice) == ["Bread", "Apples", "Pepper"]
    kept = "Object.keys(localStorage).filter((key) => key.includes('unsent'))"
    assert alice.page.evaluate(kept) == []


def test_a_write_whose_answer_was_lost_is_not_repeated(
    both: tuple[Visitor, Visitor], api: httpx.Client
) -> None:
    alice, bob = both
    sent = writes_of(alice)

    def lose_answer(route: Route) -> None:
        if route.request.method == "POST":
            route.fetch()
            route.abort()
        else:
            route.fallback()

    alice.page.route(ITEMS, lose_answer)
    alice.add("Once")
    expect(bob.texts.last).to_have_text("Once")
    expect(alice.page.locator(".pending")).to_have_count(0)
    expect(alice.texts).to_have_text(["Bread", "Milk", "Apples", "Once"])
    assert len(sent) == 1
    assert texts_in(api, alice) == ["Bread", "Milk", "Apples", "Once"]


def test_what_is_refused_in_the_end_is_shown_until_somebody_has_seen_to_it(
    both: tuple[Visitor, Visitor],
) -> None:
    alice, bob = both
    alice.context.set_offline(True)
    alice.page.get_by_role("checkbox", name="Milk").check()
    alice.rewrite("Apples", "Pears")
    alice.add("Grapes")
    expect(alice.item("Grapes")).to_contain_text(WAITING)
    for gone in ("Milk", "Apples"):
        bob.page.get_by_role("button", name=f"Delete “{gone}”").click()
    expect(bob.texts).to_have_text(["Bread"])
    alice.page.route(ITEMS, refuse_new)
    alice.context.set_offline(False)
    unsent = alice.page.locator("#unsent .card-unsent")
    expect(unsent).to_have_count(3)
    for text in ("“Milk” was deleted meanwhile", "Pears", "Not saved: No grapes."):
        expect(unsent.filter(has_text=text)).to_have_count(1)
    alice.page.reload()
    expect(unsent).to_have_count(3)
    unsent.filter(has_text="Milk").get_by_role("button", name="Dismiss").click()
    unsent.filter(has_text="Pears").get_by_role("button", name="Add it again").click()
    expect(bob.texts).to_have_text(["Bread", "Pears"])
    alice.page.unroute(ITEMS)
    unsent.get_by_role("button", name="Try again").click()
    expect(bob.texts).to_have_text(["Bread", "Pears", "Grapes"])
    expect(alice.page.locator("#unsent")).to_be_hidden()


def refuse_new(route: Route) -> None:
    if route.request.method == "POST" and "Grapes" in (route.request.post_data or ""):
        route.fulfill(status=400, json={"text": ["No grapes."]})
    else:
        route.fallback()


def test_what_somebody_has_left_unsent_is_nobody_elses(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a", shared_with=("bob",))
    alice = visit("alice", own_session=True)
    alice.open(shown["id"])
    alice.page.route(ITEMS, fail_writes)
    alice.add("of alice's")
    expect(alice.item("of alice's")).to_contain_text(WAITING)
    alice.page.get_by_role("button", name="Sign out", exact=True).click()
    alice.page.fill("#id_username", "bob")
    alice.page.fill("#id_password", "realtime")
    alice.page.click("button[type=submit]")
    alice.open(shown["id"])
    expect(alice.texts).to_have_text(["a"])
    alice.page.unroute(ITEMS)
    alice.page.evaluate("dispatchEvent(new Event('online'))")
    alice.add("of bob's")
    expect(alice.page.locator(".pending")).to_have_count(0)
    expect(alice.texts).to_have_text(["a", "of bob's"])


def test_pictures_need_no_network_once_the_page_is_there(visit: Visit, make_list: MakeList) -> None:
    alice = visit("alice")
    alice.page.route("**/*.svg", lambda route: route.abort())
    alice.open(make_list("Bread")["id"])
    alice.context.set_offline(True)
    alice.add("Salt")
    expect(alice.item("Salt")).to_contain_text(WAITING)
    shown = alice.page.locator("svg:visible")
    widths = shown.evaluate_all("(all) => all.map((one) => one.getBBox().width)")
    assert len(widths) > 10
    assert 0 not in widths
