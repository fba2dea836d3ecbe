"""The drawer with the live events, and the switch of the transport."""

import json
import re

from playwright.sync_api import expect

from tests.frontend.conftest import Visitor

Both = tuple[Visitor, Visitor]


def test_events_are_shown_with_what_they_cost(both: Both) -> None:
    alice, bob = both
    page = alice.page
    page.locator(".status").first.press("Enter")
    expect(page.locator("#inspector-title")).to_be_focused()
    expect(page.locator(".status").first).to_have_attribute("aria-expanded", "true")
    page.fill("#events-filter", "todo-item.")
    bob.page.get_by_role("checkbox", name="Milk").check()
    rows = page.locator("#events li")
    expect(rows).to_have_count(1)
    expect(rows.locator(".event-type")).to_have_text("todo-item.updated")
    expect(rows.locator(".event-channel")).to_have_text(re.compile(r"^private-todo-list\.\d+$"))
    expect(rows.locator(".event-more")).to_contain_text("SSE")
    delay = re.compile(r"^(\d+ ms ± \d+|under \d+ ms)$")
    expect(rows.locator(".event-delay")).to_have_text(delay)
    size = int(rows.locator(".event-size").inner_text().removesuffix(" B"))
    rows.locator("summary").press("Enter")
    data = json.loads(rows.locator("pre").inner_text())
    assert data["changed"] == ["done"]
    shortest = len(json.dumps(data, separators=(",", ":")))
    assert shortest < size < shortest + 200
    bob.add("<b>not bold</b>")
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator("pre")).to_contain_text("<b>not bold</b>")
    page.keyboard.press("Escape")
    expect(page.locator("#inspector")).to_be_hidden()
    expect(page.locator(".status").first).to_be_focused()


def test_what_was_missed_has_no_delay(both: Both) -> None:
    alice, bob = both
    page = alice.page
    page.locator(".status").first.click()
    page.fill("#events-filter", "todo-item.updated")
    # By a change of one's own, the server's clock is known: a wrong delay would be exact.
    page.get_by_role("checkbox", name="Bread").check()
    rows = page.locator("#events li")
    expect(rows).to_have_count(1)
    alice.context.set_offline(True)
    expect(page.locator(".status").first).not_to_have_attribute("data-state", "open")
    with bob.page.expect_response(lambda one: one.request.method == "PATCH"):
        bob.page.get_by_role("checkbox", name="Milk").check()
    alice.context.set_offline(False)
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator(".event-delay")).to_be_empty()
    bob.page.get_by_role("checkbox", name="Apples").check()
    expect(rows).to_have_count(3)
    expect(rows.nth(0).locator(".event-delay")).not_to_be_empty()
    expect(page.locator("#events-count")).to_have_text(re.compile(r"^3 of \d+ events\.$"))
    page.fill("#events-filter", "")
    expect(page.locator("#events-count")).to_have_text(re.compile(r"^\d+( of \d+)? events\.$"))


def test_it_stands_still_when_it_is_told_to_and_can_be_emptied(both: Both) -> None:
    alice, bob = both
    page = alice.page
    page.locator(".status").first.click()
    page.fill("#events-filter", "todo-item.updated")
    pause = page.get_by_role("button", name="Pause")
    pause.click()
    bob.page.get_by_role("checkbox", name="Milk").check()
    expect(page.locator("#events-count")).to_contain_text("more since")
    expect(page.locator("#events li")).to_have_count(0)
    pause.click()
    expect(page.locator("#events li")).to_have_count(1)
    alice.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#announcer")).to_have_text("Copied 1 events.")
    copied = json.loads(page.evaluate("navigator.clipboard.readText()"))
    assert copied["type"] == "todo-item.updated"
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#events li")).to_have_count(0)


def test_it_remembers_no_more_than_it_says(both: Both) -> None:
    alice, _ = both
    page = alice.page
    page.locator(".status").first.click()
    kept = page.evaluate(
        """async () => {
            const { Arrivals, LIMIT } = await import("/static/frontend/todos/arrivals.js");
            const { Emitter } = await import("/static/realtime/realtime/emitter.js");
            const client = { http: {}, stream: new Emitter() };
            const arrivals = new Arrivals(client);
            const message = { channel: "c", data: "x".repeat(100000) };
            for (let count = 0; count < LIMIT + 50; count += 1)
                client.stream.emit("arrival", { type: "t", message, id: null, size: 1 });
            while (arrivals.all.at(-1)?.number !== LIMIT + 50)
                await new Promise((resolve) => requestAnimationFrame(resolve));
            return [arrivals.all.length === LIMIT, JSON.stringify(arrivals.all).length < 1e6];
        }"""
    )
    assert kept == [True, True]
