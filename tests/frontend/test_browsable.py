"""The browsable API, live: what its pages show, what one types there, and the streams' page."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import Visitor
from tests.servers import Server, wait_until

Visit = Callable[..., Visitor]
MakeList = Callable[..., dict[str, Any]]
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BODY = ".response-info pre"


@pytest.fixture
def browse(visit: Visit) -> Callable[..., Page]:
    """Opens a page of the API, as alice if not told otherwise."""

    def open_page(path: str, username: str = "alice", **options: Any) -> Page:
        visitor = visit(username, **options)
        visitor.page.goto(f"{visitor.url}{path}")
        return visitor.page

    return open_page


def live(page: Page, name: str) -> Any:
    return page.locator(f'[data-live="{name}"]')


def expect_live(page: Page) -> None:
    expect(live(page, "state")).to_have_text("live")


def item_of(api: httpx.Client, todo_list: dict[str, Any]) -> str:
    query = {"todo_list": todo_list["id"]}
    found = api.get("/api/todo-items/", params=query).json()["results"][0]
    return f"/api/todo-items/{found['id']}/"


def test_an_object_shows_what_it_becomes_and_keeps_what_is_typed(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    path = item_of(api, make_list("Milk"))
    page = browse(path)
    expect_live(page)
    before = live(page, "position").inner_text()
    assert f'last-event-id="{before}"' in page.locator(BODY).inner_text()
    text = page.locator("#put-object-form [name=text]")
    page.get_by_role("link", name="HTML form").click()
    text.fill("Milk, of oats")

    changed = api.patch(path, json={"text": "Milk and more", "done": True})
    marked = page.locator("mark.live-changed")
    expect(marked.filter(has_text="Milk and more")).to_have_count(1)
    expect(marked.filter(has_text="position")).to_have_count(0)
    expect(live(page, "position")).not_to_have_text(before)
    expect(live(page, "count")).to_have_text("1")
    page.locator("summary").click()
    row = live(page, "events").locator("tr").first
    expect(row).to_contain_text("todo-item.updated")
    expect(row).to_contain_text("Milk and more")

    # What nobody has touched is what the object is now: a PUT writes all fields.
    expect(page.locator("#put-object-form [name=done]")).to_be_checked()
    expect(text).to_have_value("Milk, of oats")
    note = page.locator(".live-conflict")
    expect(note).to_contain_text("Meanwhile it is “Milk and more”")
    assert changed.status_code == 200
    note.get_by_role("button").click()
    expect(text).to_have_value("Milk and more")
    expect(page.locator(".live-conflict")).to_have_count(0)


def test_raw_data_is_kept_too(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    path = item_of(api, make_list("Milk"))
    page = browse(path)
    page.get_by_role("link", name="Raw data").click()
    raw = page.locator("#put-generic-content-form [name=_content]")
    raw.fill('{"mine": 1}')
    expect_live(page)
    api.patch(path, json={"text": "Theirs"})
    expect(page.locator("#put-object-form [name=text]")).to_have_value("Theirs")
    expect(raw).to_have_value('{"mine": 1}')
    expect(page.locator(".live-conflict")).to_contain_text("something else")


def test_a_list_gains_and_loses_rows_while_one_is_filled_in(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    shown = make_list("a")
    page = browse(f"/api/todo-items/?todo_list={shown['id']}&limit=2")
    expect_live(page)
    page.get_by_role("link", name="HTML form").click()
    text = page.locator("#post-object-form [name=text]")
    text.fill("half a sent")
    for name in ("b", "c"):
        api.post("/api/todo-items/", json={"todo_list": shown["id"], "text": name})
    expect(page.locator(BODY)).to_contain_text('"count": 3')
    # More than a page: now there is a way to the next one.
    expect(page.locator(".content-main nav")).to_contain_text("2")
    text.type("ence")
    expect(text).to_have_value("half a sentence")
    api.delete(item_of(api, shown))
    expect(page.locator(BODY)).to_contain_text('"count": 2')
    expect(page.locator(".content-main nav")).to_have_count(0)


def test_what_is_missed_while_away_is_shown_afterwards(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    path = item_of(api, make_list("Milk"))
    page = browse(path)
    expect_live(page)
    page.context.set_offline(True)
    expect(live(page, "state")).to_have_text("reconnecting")
    api.patch(path, json={"text": "Changed meanwhile"})
    page.context.set_offline(False)
    expect_live(page)
    expect(page.locator(BODY)).to_contain_text("Changed meanwhile")
    expect(live(page, "count")).to_have_text("1")


def test_what_is_gone_is_said_to_be(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    path = item_of(api, make_list("Milk"))
    page = browse(path)
    page.get_by_role("link", name="HTML form").click()
    page.locator("#put-object-form [name=text]").fill("typed")
    expect_live(page)
    api.delete(path)
    expect(live(page, "state")).to_have_text("ended")
    expect(live(page, "note")).to_contain_text("It is gone")
    expect(page.locator(BODY)).to_contain_text("HTTP 404 Not Found")
    expect(page.locator("#put-object-form [name=text]")).to_have_value("typed")


def test_a_right_that_ends_is_said_to(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    shown = make_list("Milk", shared_with=("bob",))
    page = browse(f"/api/todo-lists/{shown['id']}/", "bob")
    expect_live(page)
    api.delete(f"/api/todo-lists/{shown['id']}/members/bob/")
    expect(live(page, "state")).to_have_text("ended")
    expect(live(page, "note")).not_to_be_empty()


def test_the_page_after_a_put_leaves_no_stream_behind(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList, server: Server
) -> None:
    path = item_of(api, make_list("Milk"))
    page = browse(path)
    expect_live(page)
    count = "SELECT count(*) FROM realtime_stream"
    before = server.query(count)[0][0]
    page.get_by_role("link", name="HTML form").click()
    page.get_by_role("button", name="PUT").click()
    expect(page.locator(".request-info")).to_contain_text(f"PUT {path}")
    expect(page.locator("realtime-live")).to_have_count(0)
    wait_until(lambda: server.query(count)[0][0] < before, "the stream to end")


def state(page: Page, text: str) -> None:
    expect(page.locator("#stream-state")).to_have_text(text)


def rows(page: Page) -> Any:
    return page.locator("#stream-events tr:not(.protocol)")


def test_channels_are_chosen_and_heard_together(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    one, two = make_list(name="One of these"), make_list(name="The other")
    page = browse("/api/events/")
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("legend", has_text="private-todo-list.…")).to_be_visible()
    for chosen in (one, two):
        page.get_by_label(f"private-todo-list.{chosen['id']} {chosen['name']}").first.check()
    page.get_by_role("button", name="Listen").click()
    state(page, "live")
    expect(page.get_by_role("alert")).to_have_count(0)
    for chosen in (one, two):
        api.post("/api/todo-items/", json={"todo_list": chosen["id"], "text": chosen["name"]})
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("The other")

    # It says where it is, and goes on from there, exactly.
    position = page.locator("#stream-position").inner_text()
    expect(rows(page).first.locator("td").nth(1)).to_contain_text(position)
    page.get_by_role("button", name="Pause").click()
    state(page, "paused")
    api.post("/api/todo-items/", json={"todo_list": one["id"], "text": "meanwhile"})
    page.get_by_role("button", name="Go on").click()
    expect(rows(page)).to_have_count(3)
    expect(rows(page).first).to_contain_text("meanwhile")
    rows(page).last.get_by_role("button", name="from here").click()
    expect(rows(page)).to_have_count(5)
    page.get_by_role("button", name="Clear").click()
    page.get_by_label("Resume from the id").fill(position)
    page.get_by_role("button", name="Listen").click()
    expect(rows(page)).to_have_count(1)
    # The address is that of what is shown.
    page.reload()
    expect(rows(page)).to_have_count(1)


def test_what_is_wrong_is_said_in_words(browse: Callable[..., Page], visit: Visit) -> None:
    page = browse("/api/events/?channel=private-user.1")
    state(page, "live")
    page.get_by_label("Another channel").fill("private-user.999")
    page.get_by_role("button", name="Add").click()
    page.get_by_role("button", name="Listen").click()
    state(page, "ended")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("403: You may not subscribe to all of these channels. One is not")
    for box in page.locator("#stream-form [type=checkbox]").all():
        box.uncheck()
    page.get_by_role("button", name="Listen").click()
    expect(alert).to_contain_text("400: No channel is chosen.")
    page.get_by_label("private-user.1").check()
    page.get_by_label("Resume from the id").fill("nonsense")
    page.get_by_role("button", name="Listen").click()
    events = page.locator("#stream-events")
    expect(events).to_contain_text("unknown-id")
    # Nobody can resume where it was asked to begin, but where it began instead.
    nowhere = events.locator("tr", has_text="stream-open").first
    expect(nowhere.get_by_role("button")).to_have_count(0)
    expect(events.locator("tr", has_text="unknown-id").get_by_role("button")).to_have_count(1)
    page.get_by_label("Another channel").fill("bad name!")
    expect(page.locator("#stream-other-help")).to_contain_text("but no space !")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_label("Another channel")).to_be_focused()
    expect(page.get_by_label("bad name!")).to_have_count(0)
    stranger = visit()
    stranger.page.goto(f"{stranger.url}/api/events/?channel=private-user.1")
    expect(stranger.page.get_by_role("alert")).to_contain_text(re.compile("401: .* Log in first"))
    assert stranger.page.get_by_role("checkbox").count() == 1  # the one that was asked for


def test_it_is_of_use_without_scripts(
    browse: Callable[..., Page], api: httpx.Client, make_list: MakeList
) -> None:
    shown = make_list("Milk", name="Seen without")
    page = browse(f"/api/todo-lists/{shown['id']}/", java_script_enabled=False)
    page.get_by_role("link", name=f"private-todo-list.{shown['id']}").first.click()
    expect(page.locator("#stream-position")).not_to_be_empty()
    expect(page.get_by_label(f"private-todo-list.{shown['id']}").first).to_be_checked()
    page.get_by_label("Another channel").fill("private-user.1")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_label("private-user.1")).to_be_checked()
    expect(page.get_by_label(f"private-todo-list.{shown['id']}").first).to_be_checked()


@pytest.mark.parametrize("path", ["/api/todo-lists/", "/api/events/?channel=private-user.1"])
def test_it_fits_a_phone(browse: Callable[..., Page], path: str, make_list: MakeList) -> None:
    make_list(name="W" * 100)
    page = browse(path, viewport={"width": 360, "height": 740})
    assert page.evaluate(OVERFLOW) == 0
    bar, content = page.locator(".navbar").bounding_box(), page.locator("#content").bounding_box()
    assert bar
    assert content
    assert bar["y"] + bar["height"] <= content["y"]


def test_on_a_phone_buttons_leave_room(browse: Callable[..., Page], make_list: MakeList) -> None:
    make_list("Milk")
    page = browse("/api/todo-items/", viewport={"width": 360, "height": 740})
    buttons = page.locator(".requests > *:not(.modal)")
    boxes = [box for button in buttons.all() if (box := button.bounding_box())]
    heading = page.locator("h1").bounding_box()
    assert heading
    assert len(boxes) >= 4
    for index, one in enumerate(boxes):
        assert one["y"] + one["height"] + 8 <= heading["y"]
        for other in boxes[index + 1 :]:
            apart = abs(one["y"] - other["y"]) >= one["height"] + 7
            assert apart or one["x"] + one["width"] + 7 <= other["x"]


@pytest.mark.parametrize("path", [
    "/api/todo-items/", "/api/events/", "/api/events/?channel=private-user.999", "/api/docs/",
])  # fmt: skip
def test_dark_is_dark(browse: Callable[..., Page], path: str) -> None:
    page = browse(path, color_scheme="dark")
    color = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert max(page.evaluate(color)) < 64
    if path == "/api/events/?channel=private-user.999":
        box = color.replace("document.body", 'document.querySelector("[role=alert]")')
        assert max(page.evaluate(box)) < 64
    if path == "/api/docs/":
        expect(page.locator("html")).to_have_class("dark-mode")
