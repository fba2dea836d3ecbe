"""What tests of the log have in common, and the channel that they look at."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from api.env import Environment
from realtime import log
from realtime.testing import settle
from tests.servers import on_postgres
from todos.models import TodoList


class Journal:
    """What the log has got since one last looked."""

    def __init__(self) -> None:
        settle()
        self._position = log.head()

    def read(self) -> list[Any]:
        """The new events."""
        settle()
        page = log.read_after(self._position)
        self._position = page.upto
        return page.events

    def told(self) -> list[tuple[str, str, Any]]:
        """The new events' types, channels and data."""
        return [(event.type, event.channel, json.loads(event.data)) for event in self.read()]

    def types(self) -> list[str]:
        """The new events' types and channels, in words."""
        return [f"{kind} {channel}" for kind, channel, _ in self.told()]


@pytest.fixture
def channel(groceries: TodoList) -> str:
    return f"private-todo-list.{groceries.pk}"


@pytest.fixture
def other(alice: Any) -> TodoList:
    """Another list of alice's."""
    return TodoList.objects.create(name="Other", owner=alice)


@pytest.fixture(scope="session")
def _postgres_database(postgres: Any, tmp_path_factory: Any) -> dict[str, Any]:
    url = on_postgres(postgres, tmp_path_factory)
    database = Environment({"DATABASE_URL": url}).database("DATABASE_URL", "sqlite:///none")
    del database["OPTIONS"]["pool"]
    return database


@pytest.fixture(params=["sqlite", "postgres"])
def either_database(request: Any) -> None:
    """The project's database, on SQLite and on PostgreSQL, for tests with pytest-django's mark."""
    if request.param == "postgres":
        request.getfixturevalue("postgres_log")
    elif connections["default"].vendor != "sqlite":
        pytest.skip("all tests run on PostgreSQL")


@pytest.fixture
def postgres_log(_postgres_database: dict[str, Any], monkeypatch: Any) -> Iterator[None]:
    """The project's database, on PostgreSQL, which numbers what was committed."""
    before = connections["default"]
    monkeypatch.setitem(connections.settings, "default", _postgres_database)
    connections.configure_settings(connections.settings)
    del connections["default"]
    yield
    connection = connections["default"]
    tables = [name for name in connection.introspection.table_names() if "realtime_" in name]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)}")
    connections.close_all()
    connections["default"] = before
