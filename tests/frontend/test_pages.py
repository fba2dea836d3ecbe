"""What the pages are made of: policy, layout, sign-in."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from tests.frontend.conftest import Visitor
from tests.servers import Server

Visit = Callable[..., Visitor]
MakeList = Callable[..., dict[str, Any]]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}


def test_the_policy_admits_nothing_inline(server: Server) -> None:
    answer = httpx.get(f"{server.url}/accounts/login/", timeout=20)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "style=" not in answer.text
    assert "onclick" not in answer.text


def test_the_page_is_for_those_who_are_signed_in_and_not_kept(server: Server, visit: Visit) -> None:
    answer = httpx.get(f"{server.url}/", timeout=20)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/accounts/login/?next=/"
    alice = visit("alice")
    response = alice.page.goto(alice.url)
    assert response
    assert "no-store" in response.headers["cache-control"]


def test_passwords_of_the_demo_are_not_for_production(server: Server) -> None:
    assert "bob" not in httpx.get(f"{server.url}/accounts/login/", timeout=20).text


def test_a_wrong_password_is_told_in_place(visit: Visit) -> None:
    visitor = visit()
    visitor.page.goto(visitor.url)
    visitor.page.fill("#id_username", "alice")
    visitor.page.fill("#id_password", "wrong")
    visitor.page.click("button[type=submit]")
    expect(visitor.page.get_by_role("alert")).to_contain_text("correct username and password")
    expect(visitor.page.locator("#id_username")).to_have_value("alice")
    expect(visitor.page.locator("#id_password")).to_be_focused()


def test_on_a_phone_there_is_either_the_lists_or_one_of_them(
    visit: Visit, make_list: MakeList
) -> None:
    shown = make_list("Milk", name="For the phone")
    alice = visit("alice", **PHONE)
    link = alice.page.locator(f'#lists [data-id="{shown["id"]}"] a')
    expect(alice.page.locator("#sheet")).to_be_hidden()
    link.tap()
    expect(alice.texts).to_have_text(["Milk"])
    expect(link).to_be_hidden()
    alice.page.go_back()
    expect(link).to_be_visible()
    link.tap()
    alice.page.get_by_role("button", name="Back to the lists").tap()
    expect(link).to_be_visible()
    expect(alice.page).to_have_url(f"{alice.url}/")


@pytest.mark.parametrize("width", [320, 360, 719, 720, 1280])
def test_nothing_is_wider_than_the_window(visit: Visit, make_list: MakeList, width: int) -> None:
    shown = make_list("x" * 500, "several words " * 30, name="W" * 100, shared_with=("bob",))
    alice = visit("alice", viewport={"width": width, "height": 700})
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert alice.page.evaluate(overflow) == 0
    alice.open(shown["id"])
    assert alice.page.evaluate(overflow) == 0
    box = alice.page.locator("#items").evaluate("box => box.scrollWidth - box.clientWidth")
    assert box == 0
    alice.page.locator(".people").click()
    assert alice.page.evaluate(overflow) == 0
    dialog = alice.page.get_by_role("dialog").bounding_box()
    assert dialog
    assert dialog["x"] >= 0
    assert dialog["x"] + dialog["width"] <= width


def test_an_item_is_deleted_by_touch(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a", "b")
    alice = visit("alice", **PHONE)
    alice.open(shown["id"])
    alice.texts.nth(0).tap()
    alice.page.get_by_role("button", name="Delete “a”").tap()
    expect(alice.texts).to_have_text(["b"])


@pytest.mark.parametrize("options", [{}, PHONE], ids=["desktop", "phone"])
def test_nothing_jumps_while_it_loads(
    visit: Visit, make_list: MakeList, options: dict[str, Any]
) -> None:
    shown = make_list("a", "b", "c")
    alice = visit("alice", **options)
    alice.open(shown["id"])
    shifts = alice.page.evaluate(
        """() => new Promise((resolve) => {
            const observer = new PerformanceObserver((list) => {
                const entries = list.getEntries().filter(({ hadRecentInput }) => !hadRecentInput);
                const name = ({ node, previousRect: from, currentRect: to }) =>
                    `${node?.nodeName}.${node?.className} ${from.x},${from.y} to ${to.x},${to.y}`;
                resolve(entries.map(({ value, sources }) => [value, ...sources.map(name)]));
            });
            observer.observe({ type: "layout-shift", buffered: true });
            requestAnimationFrame(() => requestAnimationFrame(() => resolve([])));
        })"""
    )
    assert sum(value for value, *_ in shifts) < 0.02, shifts  # up to 0.1 counts as good


def test_dark_is_dark(visit: Visit) -> None:
    alice = visit("alice", color_scheme="dark")
    expect(alice.page.locator("body")).to_have_css("background-color", "rgb(19, 21, 20)")


def test_there_is_less_motion_for_who_wants_less(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a", "b")
    alice = visit("alice", reduced_motion="reduce")
    alice.open(shown["id"])
    alice.page.get_by_role("button", name="Move “a”").press("ArrowDown")
    expect(alice.texts).to_have_text(["b", "a"])
    moving = "document.getAnimations().filter((one) => one.effect.getTiming().duration > 1).length"
    assert alice.page.evaluate(moving) == 0


def test_what_is_not_there_leads_back(server: Server, visit: Visit) -> None:
    wrong = {
        404: httpx.get(f"{server.url}/nope/", timeout=20),
        403: httpx.post(f"{server.url}/accounts/login/", timeout=20),
    }
    for status, answer in wrong.items():
        assert answer.status_code == status
        assert '<a class="button primary" href="/">' in answer.text
        assert "style=" not in answer.text
    visitor = visit()
    visitor.page.goto(f"{visitor.url}/nope/")
    expect(visitor.page.get_by_role("heading")).to_have_text("There is nothing here")
    visitor.page.get_by_role("link", name="To your lists").click()
    expect(visitor.page).to_have_url(f"{visitor.url}/accounts/login/?next=/")
