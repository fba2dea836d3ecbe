"""Databases, and people who look at a server's page by a real browser."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import log_in
from tests.servers import Server
from tests.services import Postgres


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def postgres_or_none(request: pytest.FixtureRequest) -> Postgres | None:
    """What servers have their database on: SQLite, which is none, and PostgreSQL."""
    if request.param == "sqlite":
        return None
    found: Postgres = request.getfixturevalue("postgres")
    return found


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Any]:
    """Opens a server's page as somebody who has logged in, in a context of their own."""
    contexts = []

    def open_as(server: Server, username: str, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page: Page = context.new_page()
        log_in(page, server.url, username)
        return page

    yield open_as
    for context in contexts:
        context.close()
