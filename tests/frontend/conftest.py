"""People who look at the page by a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect

from tests.servers import DEADLINE, Server, wait_until

HERE = Path(__file__).parent

expect.set_options(timeout=DEADLINE * 1000)


class Visitor:
    """A browser context with one page, and what went wrong in it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.context = context
        self.mistakes: list[str] = []
        context.on("weberror", lambda error: self.mistakes.append(str(error.error)))
        context.on("console", self._listen)
        self.page: Page = context.new_page()

    def _listen(self, message: ConsoleMessage) -> None:
        text = message.text
        # Chromium reports each refused or failed request by itself; that is no mistake of the page.
        # Nor are Swagger UI's own style attributes, which are in vain.
        foreign = "inline style" in text and "/api/docs/" in self.page.url
        if message.type in ("error", "warning") and not (
            foreign or "Failed to load resource" in text
        ):
            self.mistakes.append(text)

    def log_in(self, username: str, password: str = "realtime") -> None:
        """By the form, unless the context brought a session; afterwards the todo page is shown."""
        self.page.goto(f"{self.url}/")
        if self.page.locator(".app").count():
            return
        self.page.fill("#id_username", username)
        self.page.fill("#id_password", password)
        self.page.click("button[type=submit]")
        expect(self.page.locator(".app")).to_be_visible()

    def open(self, list_id: int) -> None:
        """Shows a list, and waits until it is live."""
        self.page.goto(f"{self.url}/?list={list_id}")
        self.expect_live()

    def expect_live(self) -> None:
        """Waits until the connection is open and the items are here."""
        expect(self.page.locator(".status").first).to_have_attribute("data-state", "open")
        expect(self.page.locator("#items")).to_have_attribute("aria-busy", "false")

    def item(self, text: str) -> Any:
        """The item with this text."""
        return self.page.locator(".item").filter(has_text=text)

    def add(self, text: str) -> None:
        """Writes a new item."""
        self.page.fill("#add-text", text)
        self.page.press("#add-text", "Enter")

    def rewrite(self, text: str, new: str, save: bool = True) -> None:
        """Edits an item's text; leaves the field open unless it is to be saved."""
        self.page.get_by_role("button", name=f"Edit “{text}”").click()
        self.page.get_by_role("textbox", name="Text").fill(new)
        if save:
            self.page.keyboard.press("Enter")

    def listen(self) -> None:
        """From now on, what screen readers are told is kept."""
        self.page.evaluate(
            """() => {
                window.said = [];
                const hear = ([{ target }]) => window.said.push(target.textContent);
                for (const region of document.querySelectorAll("[role=status]"))
                    new MutationObserver(hear).observe(region, { childList: true });
            }"""
        )

    def expect_said(self, text: str) -> None:
        """Waits until screen readers have been told this, among other things."""
        script = "(text) => window.said.some((one) => one.includes(text))"
        wait_until(lambda: self.page.evaluate(script, text), f"“{text}” to be said")

    @property
    def texts(self) -> Any:
        """The items' texts."""
        return self.page.locator(".item .text")


@pytest.fixture(scope="module")
def sessions() -> dict[tuple[str, str], Any]:
    """Cookies by server and user, so that a password is hashed only once for many tests."""
    return {}


@pytest.fixture
def visit(
    browser: Browser, server: Server, sessions: dict[tuple[str, str], Any]
) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors; fails when the browser found a mistake with any of them."""
    visitors: list[Visitor] = []

    def make(
        username: str | None = None, of: Server = server, own_session: bool = False, **options: Any
    ) -> Visitor:
        known = None if own_session or not username else sessions.get((of.url, username))
        visitor = Visitor(browser.new_context(storage_state=known, **options), of.url)
        visitors.append(visitor)
        if username:
            visitor.log_in(username)
            if not own_session:
                sessions[of.url, username] = visitor.context.storage_state()
        return visitor

    yield make
    for visitor in visitors:
        visitor.context.close()
    assert [mistake for visitor in visitors for mistake in visitor.mistakes] == []


@pytest.fixture
def module(visit: Callable[..., Visitor]) -> Page:
    """A page of the site, without the todo page's script, that can import the client and the tests'
    own modules (from ``/tests/``)."""

    def fulfill(route: Route) -> None:
        name = route.request.url.rpartition("/")[2]
        route.fulfill(path=HERE / name, content_type="text/javascript")

    visitor = visit()
    visitor.page.route("**/tests/*.js", fulfill)
    visitor.page.goto(f"{visitor.url}/accounts/login/")
    return visitor.page


@pytest.fixture(scope="module")
def api(server: Server) -> Iterator[httpx.Client]:
    """alice's own REST client."""
    with server.client() as client:
        yield client


@pytest.fixture
def make_list(api: httpx.Client) -> Callable[..., dict[str, Any]]:
    """Creates a list of alice's, with items, perhaps shared with others."""

    def make(*texts: str, name: str = "List", shared_with: tuple[str, ...] = ()) -> dict[str, Any]:
        made: dict[str, Any] = api.post("/api/todo-lists/", json={"name": name}).json()
        for username in shared_with:
            path = f"/api/todo-lists/{made['id']}/members/"
            api.post(path, json={"username": username}).raise_for_status()
        for text in texts:
            item = {"todo_list": made["id"], "text": text}
            api.post("/api/todo-items/", json=item).raise_for_status()
        return made

    return make


@pytest.fixture
def both(
    visit: Callable[..., Visitor], make_list: Callable[..., dict[str, Any]]
) -> tuple[Visitor, Visitor]:
    """alice and bob, who look at the same list."""
    shared = make_list("Bread", "Milk", "Apples", shared_with=("bob",))
    alice, bob = visit("alice"), visit("bob")
    alice.open(shared["id"])
    bob.open(shared["id"])
    return alice, bob
