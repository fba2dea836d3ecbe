"""By what changes come: chosen on the page, in mid-life, and remembered."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import Visitor
from tests.servers import Server

Visit = Callable[..., Visitor]
APP = {"PUSHER_APP_ID": "3", "PUSHER_KEY": "page", "PUSHER_SECRET": "of-these-tests"}


@pytest.fixture(scope="module")
def socket_server(make_server: Callable[..., Server]) -> Server:
    """A server that has WebSockets, and one list that alice and bob share."""
    return make_server(REALTIME_KEEP_ALIVE="1", REALTIME_EDITING_LEASE="3", **APP)


def choose(page: Page, name: str) -> None:
    page.get_by_role("radio", name=name).check()
    expect(page.locator("#transport-now")).to_have_text(f"Now by {name}.")


def test_it_is_changed_in_mid_life_and_remembered(visit: Visit, socket_server: Server) -> None:
    alice, bob = visit("alice", of=socket_server), visit("bob", of=socket_server)
    page = alice.page
    for visitor in (alice, bob):
        visitor.expect_live()
    faces = page.locator("#present li")
    expect(faces).to_have_text(["bbob", "aalice (you)"])
    page.locator(".status").first.click()
    choose(page, "WebSocket")
    page.fill("#events-filter", "todo-item.updated")
    bob.page.get_by_role("checkbox", name="Milk").check()
    expect(page.locator("#events .event-more")).to_contain_text("WebSocket")
    expect(page.get_by_role("checkbox", name="Milk")).to_be_checked()
    page.reload()
    page.locator(".status").first.click()
    expect(page.locator("#transport-now")).to_have_text("Now by WebSocket.")
    expect(faces).to_have_text(["bbob", "aalice (you)"])
    bob.page.goto("about:blank")
    expect(faces).to_have_text(["aalice (you)"])
    bob.page.go_back()
    expect(faces).to_have_text(["bbob", "aalice (you)"])
    choose(page, "SSE")
    expect(faces).to_have_text(["bbob", "aalice (you)"])
    bob.page.get_by_role("checkbox", name="Bread").check()
    expect(page.get_by_role("checkbox", name="Bread")).to_be_checked()


def test_editing_ends_by_itself_when_nobody_says_so(visit: Visit, socket_server: Server) -> None:
    alice, bob = visit("alice", of=socket_server), visit("bob", of=socket_server)
    alice.expect_live()
    bob.rewrite("Apples", "Pears", save=False)
    tag = alice.page.locator(".tag")
    expect(tag).to_have_text("bbob is editing")
    with bob.page.expect_response(lambda one: "/editing/" in one.url):
        pass  # it was renewed
    expect(tag).to_have_text("bbob is editing")
    bob.context.set_offline(True)
    expect(tag).to_have_count(0)
