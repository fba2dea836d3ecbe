"""What real time costs: what the page counts is what Chromium's own network layer counts."""

import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.frontend.conftest import Visitor
from tests.servers import Server, wait_until

Visit = Callable[..., Visitor]
PUSHER = {"PUSHER_APP_ID": "1", "PUSHER_KEY": "compared", "PUSHER_SECRET": "secret"}
SOME = re.compile("^[1-9]")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def server(make_server: Callable[..., Server]) -> Server:
    """A server with WebSockets."""
    return make_server(**PUSHER)


class Wire:
    """What Chromium says of the requests and messages of a page."""

    def __init__(self, page: Page) -> None:
        self.urls: dict[str, str] = {}
        self.up: dict[str, int] = defaultdict(int)
        self.down: dict[str, int] = defaultdict(int)
        self.chunks: dict[str, list[int]] = defaultdict(list)
        self.frames: list[str] = []
        self.events: dict[str, list[str]] = defaultdict(list)
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", self._request)
        session.on("Network.requestWillBeSentExtraInfo", self._head)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.dataReceived", self._data)
        session.on("Network.eventSourceMessageReceived", self._event)
        session.on(
            "Network.webSocketFrameReceived",
            lambda told: self.frames.append(told["response"]["payloadData"]),
        )
        session.send("Network.enable")

    def _request(self, told: Any) -> None:
        method, url = told["request"]["method"], told["request"]["url"]
        path = "/" + url.split("/", 3)[3]
        self.urls[told["requestId"]] = f"{method} {path}"
        self.up[told["requestId"]] += len(f"{method} {path} HTTP/1.1\r\n\r\n")

    def _head(self, told: Any) -> None:
        lines = told["headers"].items()
        self.up[told["requestId"]] += sum(len(f"{name}: {value}\r\n") for name, value in lines)

    def _finished(self, told: Any) -> None:
        self.down[told["requestId"]] = int(told["encodedDataLength"])

    def _data(self, told: Any) -> None:
        self.chunks[told["requestId"]].append(told["dataLength"])

    def _event(self, told: Any) -> None:
        data = told["data"] and " " + told["data"]
        frame = f"id: {told['eventId']}\nevent: {told['eventName']}\ndata:{data}\n\n"
        self.events[told["requestId"]].append(frame)

    def of(self, start: str) -> list[str]:
        """The requests that begin with a method and a path, in order."""
        return [pk for pk, line in self.urls.items() if line.startswith(start)]

    def sums(self, sent: list[str], answered: list[str]) -> tuple[int, int, int]:
        """How many requests were sent, with how many bytes, and the bytes of these answers."""
        up = sum(self.up[pk] for pk in sent)
        return len(sent), up, sum(self.down.get(pk, 0) for pk in answered)


def begin(page: Page, *ways: str, rate: str = "2", duration: str = "5") -> None:
    page.goto(f"{page.evaluate('location.origin')}/compare/")
    for box in page.locator("[name=transport]").all():
        box.set_checked(box.get_attribute("value") in ways)
    page.select_option("#rate", rate)
    page.select_option("#duration", duration)
    page.locator("#start").press("Enter")
    expect(page.locator("#stop")).to_be_focused()


def cell(page: Page, way: str, name: str) -> Any:
    return page.locator(f'[data-of="{way}"] [data-cell="{name}"]')


def exact(page: Page, way: str, name: str) -> int:
    title = cell(page, way, name).get_attribute("title")
    return int(title.split()[0])


def scratches(server: Server) -> int:
    return int(server.query("SELECT count(*) FROM compare_scratch")[0][0])


def measured(messages: list[str], sizes: list[int]) -> list[int]:
    """How many bytes it may take to hear of the changes: what comes before the first of them, but
    for the very first message, may come before the measurement begins, or after."""
    first = next(n for n, text in enumerate(messages) if "todo-item.updated" in text)
    return [sum(sizes[n:]) for n in range(1, first + 1)]


def test_every_way_hears_of_the_changes_and_is_counted_to_the_byte(
    server: Server, visit: Visit
) -> None:
    page = visit("alice").page
    # The todo page, where one is after logging in, has its own requests under way.
    page.goto(f"{server.url}/compare/")
    wire = Wire(page)
    begin(page, "polling", "longpolling", "sse", "websocket", rate="5")
    expect(page.locator("#status")).to_contain_text("Done.")
    written = page.locator("#status").inner_text().split()[1]

    for way in ("longpolling", "sse", "websocket"):
        expect(cell(page, way, "seen")).to_have_text(written)
    expect(cell(page, "polling", "seen")).to_contain_text("skipped")
    expect(cell(page, "polling", "megabits")).to_contain_text("Mbit/s")

    polls = wire.of("GET /api/todo-items/?todo_list=")[1:]  # the first reads the position
    # The last one may be under way when the measurement ends; then perhaps its head was there.
    requests = int(cell(page, "polling", "requests").inner_text())
    counted = requests, exact(page, "polling", "up"), exact(page, "polling", "down")
    assert counted in (
        wire.sums(polls, polls),
        wire.sums(polls, polls[:-1]),
        wire.sums(polls[:-1], polls[:-1]),
    )

    answered = [pk for pk in wire.of("GET /api/events/?channel=") if pk in wire.down]
    answered = [pk for pk in answered if "lastEventId" not in wire.urls[pk]]
    assert exact(page, "longpolling", "down") == sum(wire.down[pk] for pk in answered)
    last = [pk for pk in wire.urls if wire.urls[pk] == wire.urls[answered[0]]][-1]
    open_at_the_end = wire.up[last] if last not in answered else 0
    sent = sum(wire.up[pk] for pk in answered)
    assert exact(page, "longpolling", "up") in (sent, sent + open_at_the_end)

    sizes = [len(text.encode()) + (2 if len(text) < 126 else 4) for text in wire.frames]
    assert exact(page, "websocket", "down") in measured(wire.frames, sizes)
    # Polls that wait come and go, but are no subscriptions that others are told of.
    assert sum("subscription_count" in text for text in wire.frames) <= 3
    assert (exact(page, "websocket", "up"), exact(page, "sse", "up")) == (0, 0)

    # Of two streams of the same address, the first one only showed its head.
    stream = [pk for pk, line in wire.urls.items() if "lastEventId" in line][-1]
    events = wire.events[stream]
    contents = [len(text.encode()) for text in events]
    # All that came is the events, and before them how long to wait, less than a second or more.
    assert sum(wire.chunks[stream]) - sum(contents) in (len("retry: 999\n"), len("retry: 1000\n"))
    sizes = [size + len(f"{size:x}\r\n\r\n") for size in contents]
    assert exact(page, "sse", "down") in measured(events, sizes)

    assert scratches(server) == 0
    assert page.evaluate(OVERFLOW) == 0


def test_nothing_is_left_by_whoever_stops_or_closes_the_page(server: Server, visit: Visit) -> None:
    alice = visit("alice")
    begin(alice.page, "sse", duration="120")
    expect(cell(alice.page, "sse", "seen")).to_have_text(SOME)
    assert scratches(server) == 1
    alice.page.locator("#stop").click()
    expect(alice.page.locator("#status")).to_contain_text("The list is deleted")
    expect(alice.page.locator("#start")).to_be_focused()
    assert scratches(server) == 0
    begin(alice.page, "sse", duration="120")
    expect(cell(alice.page, "sse", "seen")).to_have_text(SOME)
    alice.page.close()
    wait_until(lambda: scratches(server) == 0, "the list to be deleted")


ORPHAN = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from compare.models import Scratch
Scratch.make(get_user_model().objects.get(username="alice"))
Scratch.objects.update(expires_at=timezone.now() + timedelta(seconds=%d))
"""


@pytest.mark.parametrize("seconds", [-1, 2])
def test_what_a_crashed_server_has_left_is_swept_by_the_next(
    fresh_server: Server, seconds: int
) -> None:
    fresh_server.kill()
    fresh_server.shell(ORPHAN % seconds)
    assert scratches(fresh_server) == 1
    fresh_server.start()
    httpx.get(f"{fresh_server.url}/accounts/login/", timeout=20)
    wait_until(lambda: scratches(fresh_server) == 0, "the list to be deleted")


def test_what_goes_wrong_is_said(server: Server, visit: Visit) -> None:
    bob = visit("bob", own_session=True)
    begin(bob.page, "longpolling", duration="120")
    expect(cell(bob.page, "longpolling", "seen")).to_have_text(SOME)
    cookies = {one["name"]: one["value"] for one in bob.context.cookies()}
    token = {"X-CSRFToken": cookies["csrftoken"], "Referer": server.url}
    httpx.post(f"{server.url}/accounts/logout/", cookies=cookies, headers=token, timeout=20)
    expect(bob.page.locator("#status.alarm")).to_contain_text("It ended early.")
    expect(bob.page.locator("#start")).to_be_enabled()
    server.shell("from compare.models import *; Scratch.sweep(timezone.now() + LIFETIME)")
    assert scratches(server) == 0


def test_it_is_of_use_without_scripts(visit: Visit, server: Server) -> None:
    assert httpx.get(f"{server.url}/compare/", timeout=20).status_code == 302
    page = visit("alice", java_script_enabled=False).page
    page.goto(f"{server.url}/compare/")
    assert "Measuring needs JavaScript" in page.content()
    expect(page.get_by_text("665 Mbit/s").first).to_be_visible()
    expect(page.locator("#start")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(visit: Visit, server: Server, scheme: str) -> None:
    phone = {"width": 360, "height": 740}
    page = visit("alice", viewport=phone, color_scheme=scheme).page
    page.goto(f"{server.url}/compare/")
    expect(page.locator("#start")).to_be_enabled()
    assert page.evaluate(OVERFLOW) == 0
    # The wide tables can be moved by keys.
    assert page.locator(".table").first.evaluate(
        "box => (box.focus(), document.activeElement === box)"
    )
    background = "rgb(19, 21, 20)" if scheme == "dark" else "rgb(246, 245, 241)"
    expect(page.locator("body")).to_have_css("background-color", background)


def test_that_there_is_no_websocket_reads_as_one_text(visit: Visit, fresh_server: Server) -> None:
    phone = {"width": 360, "height": 740}
    page = visit("alice", of=fresh_server, viewport=phone).page
    page.goto(f"{fresh_server.url}/compare/")
    key = page.locator(".ways code")
    expect(key).to_have_text("PUSHER_KEY")
    # Else each part of the text would be a column of its own.
    assert "flex" not in key.evaluate("one => getComputedStyle(one.parentElement).display")
    assert key.evaluate("one => one.getClientRects().length") == 1
