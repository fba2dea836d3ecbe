"""Who is editing what: in REST answers and in the log."""

import json

import pytest
from django.db import transaction
from rest_framework.permissions import DjangoModelPermissions

from realtime.editing import marks
from realtime.exceptions import InvalidTab, NotRegistered
from tests.integration.editing.conftest import drop, names, put, told
from todos.models import TodoItem
from todos.views import TodoItemViewSet

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_begins_is_shown_to_all_who_see_the_object(api, bobs, path, item, alice, journal):
    answer = put(api, path)
    me = {"id": str(alice.pk), "info": {"name": "alice"}}
    assert answer.json() == {"id": item.pk, "editors": [me], "expires_in": 30.0}
    assert bobs.get(f"{path}editing/").json() == {"id": item.pk, "editors": [me]}
    query = f"?todo_list={item.todo_list_id}"
    listed = bobs.get(f"/api/todo-items/editing/{query}")
    assert listed.json()["results"] == [{"id": item.pk, "editors": [me]}]
    assert listed.json()["count"] == 1
    ((kind, channel, data),) = journal.told()
    assert (kind, channel) == ("todo-item.editing", f"private-todo-list.{item.todo_list_id}")
    assert data == {"id": item.pk, "user": me, "editors": [me]}
    # Each answer links to where its changes are told, from before it was made.
    link = bobs.get(f"/api/todo-items/{query}")["Link"]
    assert listed["Link"] == bobs.get(f"{path}editing/")["Link"] == link


def test_several_tabs_of_a_user_are_one_editor(api, bobs, path, item, journal):
    on = f"on private-todo-list.{item.todo_list_id}"
    put(api, path, "a")
    put(api, path, "b")
    put(bobs, path, "a")
    drop(api, path, "a")
    assert names(put(bobs, path, "c")) == ["alice", "bob"]
    drop(api, path, "b")
    drop(api, path, "b")
    drop(bobs, path, "nobody")
    assert told(journal) == [
        f"alice editing {on}: alice",
        f"bob editing {on}: alice bob",
        f"alice editing-ended {on}: bob",
    ]


def test_only_who_may_change_an_object_edits_it(api, path, user, client_of):
    strangers = client_of(user("mallory"))
    put(api, path)
    for method in (strangers.put, strangers.delete):
        assert method(f"{path}editing/a/").status_code == 404
    assert strangers.get(f"{path}editing/").status_code == 404
    assert strangers.get("/api/todo-items/editing/").json()["count"] == 0
    assert client_of(None).put(f"{path}editing/a/").status_code == 401
    assert names(api.get(f"{path}editing/")) == ["alice"]
    assert api.put("/api/todo-items/999999/editing/a/").status_code == 404


def test_what_patch_needs_is_needed_here(api, bobs, path, monkeypatch, journal):
    """By permissions that know methods, too: whatever this one is."""

    class Owner(DjangoModelPermissions):
        def has_permission(self, request, view):
            if request.method == "PATCH":
                return request.user.username == "alice"
            return request.method != "DELETE"

    monkeypatch.setattr(TodoItemViewSet, "permission_classes", (Owner,))
    put(api, path)
    assert bobs.put(f"{path}editing/a/").status_code == 403
    drop(api, path)
    put(api, path)
    assert names(bobs.get(f"{path}editing/")) == ["alice"]


def test_somebody_without_a_name_is_not_shown(client_of, path, item, monkeypatch, journal):
    monkeypatch.setattr(TodoItemViewSet, "permission_classes", ())
    monkeypatch.setattr(TodoItemViewSet, "get_queryset", lambda self: TodoItem.objects.all())
    for send in (client_of(None).put, client_of(None).delete):
        assert send(f"{path}editing/a/").status_code == 401
    assert told(journal) == []


def test_a_tab_has_a_plain_name(api, path, journal):
    for tab in ("x" * 65, "a.b", "é", "a%20b", "%00", "a;b"):
        answer = api.put(f"{path}editing/{tab}/")
        assert answer.status_code == 400
        assert answer.json().keys() == {"tab"}
        assert api.delete(f"{path}editing/{tab}/").status_code == 400
    assert told(journal) == []


def test_saying_it_too_often_is_throttled_and_nothing_else_is(api, path, monkeypatch, settings):
    settings.REALTIME_EDITING_RATE = 3
    codes = [api.put(f"{path}editing/a/").status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]
    assert int(api.put(f"{path}editing/a/")["Retry-After"]) > 0
    assert api.patch(path, {"done": True}).status_code == 200
    drop(api, path)


def test_what_is_rolled_back_has_never_been(item, alice, journal):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        marks.begin(item, alice, "a")
        _ = 1 / 0
    assert told(journal) == []
    assert marks.editors(TodoItem, [item.pk]) == {}


def test_a_list_is_edited_where_all_its_users_see_it(bobs, shared, alice, bob, journal):
    put(bobs, f"/api/todo-lists/{shared.pk}/")
    channels = {f"private-todo-list.{shared.pk}", *(f"private-user.{u.pk}" for u in (alice, bob))}
    assert {channel for _, channel, _ in journal.told()} == channels


def test_an_event_has_the_name_of_the_write_that_caused_it(api, path, journal):
    api.put(f"{path}editing/a/", headers={"X-Mutation-ID": "m1"})
    assert [event.mutation for event in journal.read()] == ["m1"]


def test_models_without_a_publisher_and_tabs_without_a_name(item, alice):
    with pytest.raises(NotRegistered):
        marks.begin(alice, alice, "a")
    for tab in ("", "a b", "x" * 65, None, 7):
        with pytest.raises(InvalidTab):
            marks.begin(item, alice, tab)
        with pytest.raises(InvalidTab):
            marks.end(item, alice, tab)


def test_the_browsable_api_shows_all_of_it(api, path, shared):
    put(api, path)
    html = {"Accept": "text/html"}
    for address in (
        f"{path}editing/",
        "/api/todo-items/editing/?todo_list=1",
        "/api/todo-lists/editing/",
        f"/api/todo-lists/{shared.pk}/presence/",
    ):
        assert api.get(address, headers=html).status_code == 200
    # There is a form for it, on a page that says it can't be read.
    assert api.get(f"{path}editing/a/", headers=html).status_code == 405
    assert api.put(f"{path}editing/b/", headers=html).status_code == 200
    assert api.put(f"{path}editing/a.b/", headers=html).status_code == 400
    assert api.options(f"{path}editing/a/", headers=html).status_code == 200


def test_the_data_is_json_of_what_rest_answers(api, path, journal):
    answer = put(api, path).json()
    (event,) = journal.read()
    data = json.loads(event.data)
    assert {"id": data["id"], "editors": data["editors"], "expires_in": 30.0} == answer
