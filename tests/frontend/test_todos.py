"""The todo page, used by alice and bob in browsers of their own."""

from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from tests.frontend.conftest import Visitor
from tests.servers import Server, wait_until

Visit = Callable[..., Visitor]
MakeList = Callable[..., dict[str, Any]]


def add(visitor: Visitor, text: str) -> None:
    visitor.add(text)


def test_each_sees_what_the_other_does(both: tuple[Visitor, Visitor]) -> None:
    alice, bob = both
    add(alice, "Olive oil")
    expect(bob.texts).to_have_text(["Bread", "Milk", "Apples", "Olive oil"])
    bob.page.get_by_role("checkbox", name="Milk").check()
    expect(alice.page.get_by_role("checkbox", name="Milk")).to_be_checked()
    expect(alice.page.locator("#summary")).to_have_text("1 of 4 done")
    bob.texts.nth(0).click()
    bob.page.keyboard.type(", sourdough")
    bob.page.keyboard.press("Enter")
    expect(alice.texts.nth(0)).to_have_text("Bread, sourdough")
    bob.page.get_by_role("button", name="Delete “Apples”").click()
    expect(alice.texts).to_have_text(["Bread, sourdough", "Milk", "Olive oil"])
    bob.page.get_by_role("button", name="Undo").click()
    expect(alice.texts).to_have_text(["Bread, sourdough", "Milk", "Apples", "Olive oil"])


def test_what_one_adds_to_a_long_list_is_in_sight(visit: Visit, make_list: MakeList) -> None:
    shown = make_list(*(f"item {n}" for n in range(20)))
    alice = visit("alice", viewport={"width": 1280, "height": 600})
    alice.open(shown["id"])
    add(alice, "the last one")
    expect(alice.item("the last one")).to_be_in_viewport(ratio=1)


def test_only_the_others_changes_are_highlighted(both: tuple[Visitor, Visitor]) -> None:
    alice, bob = both
    for visitor in both:
        visitor.page.evaluate(
            """() => {
                window.lit = [];
                const note = ({ animationName, target }) =>
                    animationName === "fresh" && window.lit.push(target.textContent);
                document.addEventListener("animationstart", note);
            }"""
        )
    alice.page.get_by_role("checkbox", name="Milk").check()
    expect(bob.page.locator(".item.fresh")).to_have_text(["Milk"])
    expect(bob.page.locator("#announcer")).to_have_text("Changed: Milk, done")
    expect(alice.page.locator(".item.pending")).to_have_count(0)
    assert alice.page.evaluate("window.lit") == []


def test_items_move_by_keyboard_with_one_write(both: tuple[Visitor, Visitor]) -> None:
    alice, bob = both
    writes = []
    alice.page.on("request", lambda request: writes.append(request.method))
    handle = alice.page.get_by_role("button", name="Move “Bread”")
    handle.focus()
    alice.page.keyboard.press("ArrowDown")
    expect(bob.texts).to_have_text(["Milk", "Bread", "Apples"])
    expect(handle).to_be_focused()
    assert writes.count("PATCH") == 1
    alice.page.keyboard.press("End")
    expect(bob.texts).to_have_text(["Milk", "Apples", "Bread"])
    alice.page.keyboard.press("ArrowDown")
    alice.page.keyboard.press("ArrowUp")
    alice.page.keyboard.press("ArrowUp")
    expect(bob.texts).to_have_text(["Bread", "Milk", "Apples"])
    expect(alice.page.locator("#announcer")).to_have_text("Bread: 1 of 3")


def test_a_drag_ends_where_the_list_does(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a", "b", "c", "d")
    alice = visit("alice", viewport={"width": 1280, "height": 800})
    alice.open(shown["id"])
    page, mouse = alice.page, alice.page.mouse
    size = "() => [items.scrollTop, items.scrollHeight]"
    before = page.evaluate(size)
    alice.item("b").hover()
    handle = page.get_by_role("button", name="Move “b”").bounding_box()
    assert handle
    mouse.move(handle["x"] + 8, handle["y"] + 20)
    mouse.down()
    for distance in (120, 700):
        mouse.move(handle["x"] + 8, handle["y"] + distance, steps=5)
        expect(page.locator(".item.lifted")).to_have_count(1)
        frames = "for (let n = 0; n < 30; n += 1) await new Promise(requestAnimationFrame)"
        page.evaluate(f"async () => {{ {frames} }}")
        assert page.evaluate(size) == before
    mouse.up()
    expect(alice.texts).to_have_text(["a", "c", "d", "b"])


def test_items_are_dragged(both: tuple[Visitor, Visitor]) -> None:
    alice, bob = both
    source = alice.page.get_by_role("button", name="Move “Bread”").bounding_box()
    target = alice.page.locator(".item").nth(2).bounding_box()
    assert source
    assert target
    alice.page.mouse.move(source["x"] + 10, source["y"] + 10)
    alice.page.mouse.down()
    alice.page.mouse.move(source["x"] + 14, target["y"] + target["height"], steps=4)
    bob.page.get_by_role("checkbox", name="Apples").check()
    alice.page.mouse.up()
    expect(bob.texts).to_have_text(["Milk", "Apples", "Bread"])
    expect(alice.texts).to_have_text(["Milk", "Apples", "Bread"])
    expect(alice.page.get_by_role("checkbox", name="Apples")).to_be_checked()


def test_editing_outlives_what_others_do_until_escape(both: tuple[Visitor, Visitor]) -> None:
    alice, bob = both
    alice.texts.nth(1).click()
    field = alice.page.get_by_role("textbox", name="Text")
    field.fill("Oat milk")
    add(bob, "Salt")
    bob.page.get_by_role("checkbox", name="Milk").check()
    expect(alice.texts).to_have_count(4)
    expect(field).to_have_value("Oat milk")
    alice.page.keyboard.press("Escape")
    expect(alice.texts).to_have_text(["Bread", "Milk", "Apples", "Salt"])
    expect(alice.texts.nth(1)).to_be_focused()


def test_a_refused_write_is_taken_back_with_a_word(both: tuple[Visitor, Visitor]) -> None:
    alice, _ = both

    def refuse(route: Route) -> None:
        if route.request.method == "GET":
            route.fallback()
        else:
            route.fulfill(status=400, json={"text": ["No, not that."]})

    alice.page.route("**/api/todo-items/**", refuse)
    alice.page.get_by_role("checkbox", name="Milk").click()
    expect(alice.page.get_by_role("alert")).to_contain_text("No, not that.")
    expect(alice.page.get_by_role("checkbox", name="Milk")).not_to_be_checked()
    add(alice, "Something")
    expect(alice.page.locator("#add-text")).to_have_value("Something")
    expect(alice.texts).to_have_text(["Bread", "Milk", "Apples"])


def test_a_member_who_is_removed_is_told_and_can_come_back(both: tuple[Visitor, Visitor]) -> None:
    alice, bob = both
    alice.page.locator(".people").click()
    alice.page.get_by_role("button", name="Remove bob").click()
    expect(bob.page.locator("#panel-notice")).to_contain_text("no longer")
    expect(bob.page.locator("#sheet")).to_be_hidden()
    expect(alice.page.locator(".members li")).to_have_text(["aaliceOwner"])
    alice.page.get_by_role("textbox", name="Username").fill("nobody-at-all")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator("#invite-error")).to_have_text(
        "Nobody here is called “nobody-at-all”."
    )
    alice.page.get_by_role("textbox", name="Username").fill("bob")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator(".members li")).to_have_text(["aaliceOwner", "bbob"])
    expect(bob.texts).to_have_text(["Bread", "Milk", "Apples"])


def test_a_list_is_made_renamed_left_and_deleted(visit: Visit) -> None:
    alice, bob = visit("alice"), visit("bob")
    name, new = "Trip to the sea", "Trip to the lake"
    alice.page.fill("#new-list-name", name)
    alice.page.press("#new-list-name", "Enter")
    expect(alice.page.get_by_role("heading", level=1)).to_have_text(name)
    expect(alice.page.locator("#add-text")).to_be_focused()
    alice.page.get_by_role("button", name="Share").click()
    alice.page.get_by_role("textbox", name="Username").fill("bob")
    alice.page.keyboard.press("Enter")
    expect(alice.page.locator(".members li")).to_have_count(2)
    alice.page.keyboard.press("Escape")
    bob.page.get_by_role("link", name=name).click()
    alice.page.locator("h1 button").click()
    alice.page.get_by_role("textbox", name="Name of the list").fill(new)
    alice.page.keyboard.press("Enter")
    expect(bob.page.get_by_role("heading", level=1)).to_have_text(new)
    expect(bob.page).to_have_title(f"{new} · Todos")
    bob.page.get_by_label("More").click()
    bob.page.get_by_role("button", name="Leave list…").click()
    bob.page.get_by_role("button", name="Leave list", exact=True).click()
    expect(bob.page.get_by_role("link", name=new)).to_have_count(0)
    alice.page.get_by_label("More").click()
    alice.page.get_by_role("button", name="Delete list…").click()
    alice.page.get_by_role("button", name="Delete list", exact=True).click()
    expect(alice.page.get_by_role("link", name=new)).to_have_count(0)
    expect(alice.page.get_by_role("heading", level=1)).not_to_have_text(new)


def test_from_list_to_list_with_one_stream(visit: Visit, make_list: MakeList) -> None:
    first, second = make_list("a", name="First"), make_list("b", name="Second")
    alice, other = visit("alice"), visit("alice")
    open_streams: list[Any] = []
    alice.page.on("request", lambda one: "/api/events/" in one.url and open_streams.append(one))
    for ended in ("requestfailed", "requestfinished"):
        alice.page.on(ended, lambda one: one in open_streams and open_streams.remove(one))
    alice.open(first["id"])
    for shown in (second, first, second):
        alice.page.locator(f'#lists [data-id="{shown["id"]}"]').click()
        other.open(shown["id"])
        add(other, "c")
        expect(alice.texts.last).to_have_text("c")
        wait_until(lambda: len(open_streams) == 1, "one stream alone")
        other.page.get_by_role("button", name="Delete “c”").click()
        expect(alice.texts).to_have_count(1)


def test_the_address_says_which_list(visit: Visit, make_list: MakeList) -> None:
    first, second = make_list("a", name="One of two"), make_list("b", name="Two of two")
    alice = visit("alice")
    alice.open(first["id"])
    alice.page.get_by_role("link", name="Two of two").first.click()
    alice.page.locator(f'#lists [data-id="{second["id"]}"]').click()
    expect(alice.texts).to_have_text(["b"])
    alice.page.reload()
    expect(alice.texts).to_have_text(["b"])
    alice.page.goto(f"{alice.url}/?list=999999")
    expect(alice.page.locator("#panel-notice")).to_contain_text("This list is not here")
    alice.page.get_by_role("button", name="Show another list").click()
    expect(alice.page.get_by_role("heading", level=1)).to_be_visible()


def test_a_killed_server_loses_nothing(visit: Visit, fresh_server: Server) -> None:
    alice, bob = visit("alice", of=fresh_server), visit("bob", of=fresh_server)
    expect(alice.texts).to_have_count(3)
    expect(bob.texts).to_have_count(3)
    alice.expect_live()
    fresh_server.kill()
    expect(alice.page.locator(".status").first).to_have_text("Reconnecting")
    alice.page.get_by_role("checkbox", name="Milk").click()
    expect(alice.item("Milk")).to_contain_text("Waiting to be sent")
    # The log gets an event while nobody is connected.
    fresh_server.shell(
        "from todos.models import *; TodoItem.objects.filter(text='Milk').update(text='Oat milk')"
    )
    fresh_server.start()
    expect(alice.texts).to_have_text(["Bread", "Oat milk", "Apples"])
    expect(bob.texts).to_have_text(["Bread", "Oat milk", "Apples"])
    alice.expect_live()
    expect(bob.page.get_by_role("checkbox", name="Oat milk")).to_be_checked()
    add(alice, "Salt")
    expect(bob.texts).to_have_text(["Bread", "Oat milk", "Apples", "Salt"])


def test_signing_out_elsewhere_ends_this_page_too(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a")
    alice = visit("alice", own_session=True)
    alice.open(shown["id"])
    name = alice.page.locator("#lists .name").first.inner_text()
    alice.page.locator(".status").first.click()
    add(alice, "b")
    expect(alice.page.locator("#events")).to_contain_text("todo-item.created")
    second = alice.context.new_page()
    second.goto(alice.url)
    second.get_by_role("button", name="Sign out", exact=True).click()
    expect(second).to_have_url(f"{alice.url}/accounts/login/")
    expect(alice.page.locator("#panel-notice")).to_contain_text("You are signed out")
    expect(alice.page.locator(".status").first).to_have_text("Signed out")
    shown_still = alice.page.locator("body").inner_text()
    assert [text for text in (name, "alice", "todo-item") if text in shown_still] == []
    assert alice.page.title() == "Todos"
    alice.page.locator(".status").first.click()
    expect(alice.page.locator("#events")).not_to_contain_text("todo-item")
    alice.page.get_by_role("button", name="Sign in").click()
    expect(alice.page).to_have_url(f"{alice.url}/accounts/login/?next=%2F%3Flist%3D{shown['id']}")


def test_a_failing_start_is_explained_and_gets_over_it(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a")
    alice = visit("alice")
    alice.page.route("**/api/todo-*/**", lambda route: route.abort())
    alice.page.goto(f"{alice.url}/?list={shown['id']}")
    expect(alice.page.locator("#lists-notice")).to_contain_text("Trying again")
    expect(alice.page.locator("#items-notice")).to_contain_text("Trying again")
    alice.page.unroute("**/api/todo-*/**")
    expect(alice.texts).to_have_text(["a"])
    expect(alice.page.locator("#lists-notice")).to_be_empty()
    expect(alice.page.locator("#items-notice")).to_be_empty()


def test_text_is_text(visit: Visit, make_list: MakeList) -> None:
    nasty = '<img src=x onerror="window.hacked=1"> & "quotes"'
    shown = make_list(nasty, name=nasty)
    alice = visit("alice")
    alice.open(shown["id"])
    expect(alice.texts).to_have_text([nasty])
    expect(alice.page.get_by_role("heading", level=1)).to_have_text(nasty)
    assert alice.page.evaluate("window.hacked") is None


def test_an_empty_list_says_so(visit: Visit, make_list: MakeList) -> None:
    shown = make_list()
    alice = visit("alice")
    alice.open(shown["id"])
    expect(alice.page.locator("#items-notice")).to_contain_text("All clear")
    add(alice, "First")
    expect(alice.page.locator("#items-notice")).to_be_empty()


def test_many_random_writes_end_in_the_same_list(
    visit: Visit, make_list: MakeList, server: Server, api: httpx.Client
) -> None:
    shown = make_list("start")
    alice = visit("alice")
    alice.open(shown["id"])
    server.shell(
        "import random; from todos.models import *; dice = random.Random(5)\n"
        f"items = lambda: TodoItem.objects.filter(todo_list={shown['id']})\n"
        "for n in range(150):\n"
        "    item = dice.choice(list(items()) or [None]); act = dice.random()\n"
        "    if not item or act < .3:\n"
        f"        TodoItem.objects.create(todo_list_id={shown['id']}, text=n)\n"
        "    elif act < .5: item.position = dice.randint(0, 9); item.save()\n"
        "    elif act < .7: item.done = not item.done; item.save()\n"
        "    elif act < .8: items().filter(pk__lte=item.pk).update(text=f'all {n}')\n"
        "    else: item.delete()\n"
    )
    add(alice, "the last")
    expect(alice.page.locator(".item.pending")).to_have_count(0)
    query = {"todo_list": shown["id"], "limit": 500}
    rows = api.get("/api/todo-items/", params=query).json()["results"]
    expect(alice.texts).to_have_text([row["text"] for row in rows])
    done = alice.page.get_by_role("checkbox", checked=True)
    expect(done).to_have_count(sum(row["done"] for row in rows))


def keyboard_focus(page: Page) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('aria-label')"))


def test_the_keyboard_goes_everywhere(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a", "b", "c")
    alice = visit("alice")
    alice.open(shown["id"])
    page = alice.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the items")).to_be_focused()
    page.get_by_role("checkbox", name="a").focus()
    page.keyboard.press("ArrowDown")
    assert keyboard_focus(page) == "b"
    page.keyboard.press("Space")
    expect(page.get_by_role("checkbox", name="b")).to_be_checked()
    for expected in ("Edit “b”", "Move “b”", "Delete “b”"):
        page.keyboard.press("Tab")
        assert keyboard_focus(page) == expected
    page.keyboard.press("Enter")
    expect(alice.texts).to_have_text(["a", "c"])
    assert keyboard_focus(page) == "c"
