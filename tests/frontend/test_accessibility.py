"""The page as axe-core sees it, as fingers do, and at twice the size."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import Visitor
from tests.servers import Server

Visit = Callable[..., Visitor]
MakeList = Callable[..., dict[str, Any]]
AXE = Path(__file__).parent.parent / "clients/node_modules/axe-core/axe.min.js"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
KINDS = {
    "desktop": {},
    "phone": PHONE,
    "dark": {"color_scheme": "dark"},
    "dark-phone": {**PHONE, "color_scheme": "dark"},
}
TOO_SMALL = """() => [...document.querySelectorAll("button, a, summary, input, label:has(input)")]
    .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.disabled)
    .filter((e) => !e.matches("label input, .hidden, .skip, [tabindex='-1']"))
    .map((e) => [e.outerHTML.slice(0, 120), e.getBoundingClientRect()])
    .filter(([, { width, height }]) => width < 43.9 || height < 43.9)
    .map(([html, { width, height }]) => `${width} by ${height}: ${html}`)"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]

# What Swagger UI writes itself, and offers no way to write otherwise: links in buttons that unfold
# operations, and smaller than these; its colours, its own in both schemes; headings that leave out
# a level, and a part beside the landmark.
SWAGGER = dict.fromkeys(
    ("color-contrast", "heading-order", "nested-interactive", "region", "target-size"),
    "#swagger-ui",
)
API_PAGES = (
    "/api/",
    "/api/todo-lists/",
    "/api/todo-items/?todo_list={list}",
    "/api/todo-items/{item}/",
    "/api/events/",
    "/api/events/?channel=private-todo-list.{list}",
    "/api/events/?channel=private-todo-list.999999",
    "/api-auth/login/",
)
ADMIN_PAGES = (
    "/admin/realtime/event/",
    "/admin/realtime/event/?type=todo-item.created&q=private-todo-list.1",
    "/admin/realtime/event/{event}/change/",
    "/admin/realtime/stream/",
)

needs_axe = pytest.mark.skipif(not AXE.exists(), reason="axe-core is not installed")


def violations(page: Page, foreign: dict[str, str] | None = None) -> list[str]:
    """What axe-core has against the page as it is now, when nothing moves any more; without what is
    `foreign`: by rule, the selector of what somebody else writes."""
    page.evaluate("Promise.allSettled(document.getAnimations().map((one) => one.finished))")
    if not page.evaluate("Boolean(window.axe)"):
        page.add_script_tag(path=AXE)
    script = """async ([rules, foreign]) => {
        const { violations } = await axe.run({ runOnly: rules, resultTypes: ["violations"] });
        const isOurs = (id) => ({ target }) =>
            !(id in foreign && document.querySelector(target[0])?.closest(foreign[id]));
        return violations.flatMap(({ id, nodes }) =>
            nodes.filter(isOurs(id)).map(({ html }) => `${id}: ${html.slice(0, 200)}`));
    }"""
    found: list[str] = page.evaluate(script, [RULES, foreign or {}])
    return found


@needs_axe
@pytest.mark.parametrize("kind", KINDS)
def test_axe_finds_nothing(visit: Visit, make_list: MakeList, kind: str) -> None:
    shown = make_list("Bread", "Milk", "Apples", name="Checked", shared_with=("bob",))
    alice = visit("alice", bypass_csp=True, reduced_motion="reduce", **KINDS[kind])
    page = alice.page
    alice.open(shown["id"])
    expect(page.locator("#present li")).to_have_count(1)
    alice.page.get_by_role("checkbox", name="Apples").check()
    expect(page.locator(".toast")).to_be_visible()
    assert violations(page) == []
    page.locator(".people").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Move “Bread”").press("Enter")
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator(".menu summary").click()
    assert violations(page) == []
    page.keyboard.press("Escape")
    alice.rewrite("Bread", "Rye bread", save=False)
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator(".status:visible").first.click()
    expect(page.locator("#events li").first).to_be_visible()
    page.locator("#events summary").first.click()
    assert violations(page) == []


@needs_axe
@pytest.mark.parametrize("kind", ["desktop", "dark-phone"])
def test_axe_finds_nothing_when_things_go_wrong(
    both: tuple[Visitor, Visitor], visit: Visit, kind: str
) -> None:
    _, bob = both
    options = {"bypass_csp": True, "reduced_motion": "reduce", **KINDS[kind]}
    alice = visit("alice", **options)
    alice.page.goto(bob.page.url)
    alice.expect_live()
    for old, new in (("Milk", "Oat milk"), ("Apples", "Pears")):
        alice.rewrite(old, new, save=False)
        if old == "Apples":
            bob.page.get_by_role("button", name="Delete “Apples”").click()
            expect(alice.page.locator(".item.gone")).to_be_visible()
            assert violations(alice.page) == []
        else:
            with bob.page.expect_response(lambda one: one.request.method == "PATCH"):
                bob.rewrite(old, "Soy milk")
        alice.page.keyboard.press("Enter")
    expect(alice.page.locator(".card-unsent")).to_have_count(2)
    alice.context.set_offline(True)
    alice.add("Salt")
    expect(alice.item("Salt")).to_contain_text("Waiting to be sent")
    assert violations(alice.page) == []


@needs_axe
@pytest.mark.parametrize("kind", ["desktop", "dark-phone"])
def test_axe_finds_nothing_where_a_list_is_not_there(
    visit: Visit, make_list: MakeList, api: httpx.Client, kind: str
) -> None:
    bob = visit("bob", bypass_csp=True, reduced_motion="reduce", **KINDS[kind])
    bob.page.goto(f"{bob.url}/?list=999999")
    expect(bob.page.get_by_role("heading", level=1)).to_have_text("This list is not here")
    assert violations(bob.page) == []
    shared = make_list("Apples", shared_with=("bob",))["id"]
    bob.open(shared)
    bob.rewrite("Apples", "Pears", save=False)
    api.delete(f"/api/todo-lists/{shared}/").raise_for_status()
    expect(bob.page.locator("#unsent-elsewhere .card-unsent")).to_be_visible()
    assert violations(bob.page) == []


@needs_axe
def test_axe_finds_nothing_on_a_phones_first_page(visit: Visit) -> None:
    alice = visit("alice", bypass_csp=True, **PHONE)
    expect(alice.page.locator("#lists a").first).to_be_visible()
    assert violations(alice.page) == []


@needs_axe
@pytest.mark.parametrize("kind", ["desktop", "dark-phone"])
def test_axe_finds_nothing_where_there_is_no_list_yet(
    visit: Visit, server: Server, kind: str
) -> None:
    made = "from django.contrib.auth.models import User as U; U.objects.create_user"
    server.shell(f"{made}('new-{kind}', password='realtime')")
    newcomer = visit(f"new-{kind}", bypass_csp=True, **KINDS[kind])
    expect(newcomer.page.locator("#lists-notice")).to_contain_text("No lists yet")
    # Playwright takes an `h2` for one of level 2, whatever it says of itself.
    expect(newcomer.page.locator("h1, [aria-level='1']")).to_have_count(1)
    assert violations(newcomer.page) == []


@needs_axe
@pytest.mark.parametrize("kind", ["desktop", "dark-phone"])
def test_axe_finds_nothing_in_the_browsable_api(
    visit: Visit, make_list: MakeList, api: httpx.Client, kind: str
) -> None:
    shown = make_list("Bread", "Milk", name="Browsed")["id"]
    item = api.get("/api/todo-items/", params={"todo_list": shown}).json()["results"][0]["id"]
    alice = visit("alice", bypass_csp=True, reduced_motion="reduce", **KINDS[kind])
    page = alice.page
    found = {}
    for path in API_PAGES:
        page.goto(alice.url + path.format(list=shown, item=item))
        if page.locator("realtime-live").count():
            expect(page.locator('[data-live="state"]')).to_have_text("live")
        found[path] = violations(page)
    page.goto(f"{alice.url}/api/todo-items/")
    page.get_by_role("link", name="Raw data").click()
    page.get_by_role("button", name="Filters").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    found["filters"] = violations(page)
    page.goto(f"{alice.url}/api/docs/")
    expect(page.locator(".opblock").first).to_be_visible()
    found["docs"] = violations(page, SWAGGER)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@needs_axe
@pytest.mark.parametrize("kind", ["desktop", "dark-phone"])
def test_axe_finds_nothing_in_the_admin(
    server: Server, visit: Visit, make_list: MakeList, kind: str
) -> None:
    make_list("Bread")
    server.shell(
        "from django.contrib.auth import get_user_model\n"
        "users = get_user_model()._default_manager\n"
        "if not users.filter(username='root').exists():\n"
        "    users.create_superuser('root', password='realtime')\n"
    )
    root = visit("root", bypass_csp=True, reduced_motion="reduce", **KINDS[kind])
    event = server.query("SELECT max(id) FROM realtime_event")[0][0]
    found = {}
    for path in ADMIN_PAGES:
        root.page.goto(root.url + path.format(event=event))
        found[path] = violations(root.page)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
    if kind == "desktop":
        root.page.goto(f"{root.url}/admin/realtime/event/")
        table = root.page.locator("#changelist .results")
        assert table.evaluate("box => box.scrollWidth - box.clientWidth") == 0


def test_fingers_hit_everything(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("Bread", "Milk", shared_with=("bob",))
    alice = visit("alice", **PHONE)
    page = alice.page
    assert page.evaluate(TOO_SMALL) == []
    alice.open(shown["id"])
    assert page.evaluate(TOO_SMALL) == []
    page.get_by_role("button", name="Move “Bread”").tap()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert page.evaluate(TOO_SMALL) == []
    page.keyboard.press("Escape")
    page.locator(".status:visible").first.tap()
    expect(page.locator("#inspector")).to_be_visible()
    assert page.evaluate(TOO_SMALL) == []


def test_at_twice_the_size_nothing_is_lost(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("Bread and butter", "Milk", shared_with=("bob",))
    alice = visit("alice", viewport={"width": 640, "height": 400}, device_scale_factor=2)
    page = alice.page
    alice.open(shown["id"])
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0
    expect(alice.item("Bread")).to_be_in_viewport()
    expect(page.locator("#add-text")).to_be_in_viewport()
    page.locator(".status:visible").first.click()
    expect(page.get_by_role("button", name="Copy")).to_be_in_viewport()
    assert page.evaluate(overflow) == 0
    # Events push each other down: a click scrolls to the newest until it hits it.
    page.locator("#events summary").first.click()
    expect(page.locator("#events details[open]")).to_be_in_viewport()


class Finger:
    """One that touches the page of a visitor."""

    def __init__(self, page: Page) -> None:
        self.session = page.context.new_cdp_session(page)

    def send(self, kind: str, *points: tuple[float, float]) -> None:
        """Goes down, moves or goes up."""
        at = [{"x": x, "y": y} for x, y in points]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})


def test_items_are_moved_by_finger_and_by_button(visit: Visit, make_list: MakeList) -> None:
    shown = make_list("a", "b", "c")
    alice = visit("alice", **PHONE)
    alice.open(shown["id"])
    page = alice.page
    alice.listen()
    source = page.get_by_role("button", name="Move “a”").bounding_box()
    target = page.get_by_role("button", name="Move “c”").bounding_box()
    assert source
    assert target
    x, start, end = source["x"] + 20, source["y"] + 20, target["y"] + 40
    finger = Finger(page)
    finger.send("touchStart", (x, start))
    for step in range(1, 5):
        finger.send("touchMove", (x, start + (end - start) * step / 4))
    expect(page.locator(".item.lifted")).to_have_count(1)
    finger.send("touchEnd")
    expect(alice.texts).to_have_text(["b", "c", "a"])
    alice.expect_said("a: 3 of 3")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Move “a”").tap()
    page.get_by_role("button", name="Up").tap()
    expect(alice.texts).to_have_text(["b", "a", "c"])
    alice.expect_said("a: 2 of 3")
    expect(page.get_by_role("button", name="Move “a”")).to_be_focused()
