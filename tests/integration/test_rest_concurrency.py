"""What writes hold, so that those at the same time do not undo each other."""

import pytest

from todos import views
from todos.models import TodoItem, TodoList


@pytest.fixture
def held(monkeypatch):
    """The models whose rows have been locked, in this order; SQLite itself ignores it. Those held
    against foreign keys too come with a word."""
    models = []
    original = views._locked

    def spy(queryset, **options):
        locked = original(queryset, **options)
        assert locked.query.select_for_update
        with_keys = locked.query.select_for_no_key_update
        models.append(locked.model if with_keys else (locked.model, "alone"))
        return locked

    monkeypatch.setattr(views, "_locked", spy)
    return models


def test_a_change_holds_its_row_from_the_first_look_on(api, path, groceries, held):
    assert api.patch(path, {"done": True}).status_code == 200
    assert held == [TodoItem]
    assert api.patch(f"/api/todo-lists/{groceries.pk}/", {"name": "x"}).status_code == 200
    assert held == [TodoItem, TodoList]
    assert api.delete(f"/api/todo-lists/{groceries.pk}/").status_code == 204
    assert held == [TodoItem, TodoList, (TodoList, "alone")]


def test_an_item_is_put_into_a_list_that_stays(api, path, groceries, alice, held):
    assert (
        api.post("/api/todo-items/", {"todo_list": groceries.pk, "text": "Milk"}).status_code == 201
    )
    assert held == [TodoList]
    held.clear()
    other = TodoList.objects.create(name="Other", owner=alice)
    assert api.patch(path, {"todo_list": other.pk}).status_code == 200
    assert held == [TodoItem, TodoList]


def test_an_items_own_list_is_not_held_after_the_item(api, path, groceries, held):
    answer = api.put(path, {"todo_list": groceries.pk, "text": "Milk"})
    assert answer.status_code == 200
    assert held == [TodoItem]


def test_a_list_that_is_gone_by_then_is_a_field_error(api, groceries, monkeypatch):
    original = views._locked

    def gone(queryset, **options):
        queryset.delete()
        return original(queryset, **options)

    monkeypatch.setattr(views, "_locked", gone)
    answer = api.post("/api/todo-items/", {"todo_list": groceries.pk, "text": "Milk"})
    assert answer.status_code == 400
    assert answer.json().keys() == {"todo_list"}


def test_reading_holds_nothing(api, path, groceries, held):
    for address in (
        path,
        "/api/todo-items/",
        "/api/todo-lists/",
        f"/api/todo-lists/{groceries.pk}/",
    ):
        for method in (api.get, api.head, api.options):
            assert method(address).status_code == 200
            assert method(address, headers={"Accept": "text/html"}).status_code == 200
    assert held == []
