"""Who is editing what, on SQLite and PostgreSQL: in REST answers, in the log, and until when."""

import json
import threading
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.db.models.functions import Now
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from rest_framework.permissions import DjangoModelPermissions

from realtime import editing, models
from realtime.exceptions import InvalidTab, NotRegistered
from tests.integration.conftest import Journal
from todos.models import Membership, TodoItem, TodoList
from todos.views import TodoItemViewSet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user(either_database, django_user_model):
    """Finds users, or makes them: a database on PostgreSQL may have those of the demo."""
    return lambda name: django_user_model.objects.get_or_create(username=name)[0]


@pytest.fixture
def alice(user):
    return user("alice")


@pytest.fixture
def bob(user):
    return user("bob")


@pytest.fixture
def shared(alice, bob):
    """A list of alice's that is shared with bob."""
    todo_list = TodoList.objects.create(name="Groceries", owner=alice)
    todo_list.members.add(bob)
    return todo_list


@pytest.fixture
def item(shared):
    return TodoItem.objects.create(todo_list=shared, text="Bread")


@pytest.fixture
def path(item):
    return f"/api/todo-items/{item.pk}/"


@pytest.fixture
def api(alice, client_of):
    return client_of(alice)


@pytest.fixture
def bobs(bob, client_of):
    return client_of(bob)


@pytest.fixture
def journal(item):
    return Journal()


def told(journal):
    """What the log has told since: who, on which channel, and who is editing then."""
    found = []
    for kind, channel, data in journal.told():
        names = " ".join(person["info"]["name"] for person in data["editors"])
        who = data["user"]["info"]["name"]
        found.append(f"{who} {kind.partition('.')[2]} on {channel}: {names}")
    return found


def lapse(**which):
    """Lets the leases of marks run out."""
    models.Editor.objects.filter(**which).update(expires_at=Now() - timedelta(seconds=1))


def names(answer):
    return [person["info"]["name"] for person in answer.json()["editors"]]


def put(client, path, tab="a"):
    answer = client.put(f"{path}editing/{tab}/")
    assert answer.status_code == 200, answer.content
    return answer


def drop(client, path, tab="a"):
    assert client.delete(f"{path}editing/{tab}/").status_code == 204


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


def test_a_mark_that_is_not_renewed_ends_by_itself(api, bobs, path, item, journal):
    on = f"on private-todo-list.{item.todo_list_id}"
    put(api, path)
    put(bobs, path)
    editing.sweep()
    lapse(user_id=str(item.todo_list.owner_id))
    # Whoever looks sees it at once, whether or not somebody has told it.
    assert names(bobs.get(f"{path}editing/")) == ["bob"]
    editing.sweep()
    editing.sweep()
    lapse()
    assert bobs.get("/api/todo-items/editing/").json()["results"] == []
    editing.sweep()
    assert told(journal) == [
        f"alice editing {on}: alice",
        f"bob editing {on}: alice bob",
        f"alice editing-ended {on}: bob",
        f"bob editing-ended {on}: ",
    ]
    assert not models.Editor.objects.exists()


def test_somebody_elses_change_finds_what_is_over(api, bobs, path, item, journal):
    on = f"on private-todo-list.{item.todo_list_id}"
    put(api, path)
    lapse()
    assert names(put(bobs, path)) == ["bob"]
    # Nobody has told by then that alice had ended: so she goes on.
    lapse()
    assert names(put(bobs, path)) == ["bob"]
    assert told(journal) == [
        f"alice editing {on}: alice",
        f"alice editing-ended {on}: ",
        f"bob editing {on}: bob",
    ]


def test_a_renewal_makes_no_event_and_an_early_one_no_write(api, path, journal):
    put(api, path)
    with CaptureQueriesContext(connections["default"]) as queries:
        put(api, path)
    assert not [q for q in queries if q["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    before = models.Editor.objects.get().expires_at
    models.Editor.objects.update(expires_at=before - timedelta(seconds=15))
    put(api, path)
    assert models.Editor.objects.get().expires_at >= before
    assert len(told(journal)) == 1


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


def test_more_tabs_than_anybody_has_are_not_kept(api, path, journal):
    for n in range(12):
        put(api, path, f"t{n}")
    tabs = list(models.Editor.objects.order_by("pk").values_list("tab", flat=True))
    assert tabs == [f"t{n}" for n in range(2, 12)]
    assert len(told(journal)) == 1


def test_what_is_rolled_back_has_never_been(item, alice, journal):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        editing.begin(item, alice, "a")
        _ = 1 / 0
    assert told(journal) == []
    assert editing.editors(TodoItem, [item.pk]) == {}


def test_the_editors_of_an_item_that_moves_are_shown_where_it_is(api, path, item, alice, journal):
    put(api, path)
    other = TodoList.objects.create(name="Other", owner=alice)
    api.patch(path, {"todo_list": other.pk})
    journal.read()
    models.Editor.objects.update(expires_at=Now() + timedelta(seconds=5))
    put(api, path)
    put(api, path)
    drop(api, path)
    on = f"on private-todo-list.{other.pk}"
    assert told(journal) == [f"alice editing {on}: alice", f"alice editing-ended {on}: "]


def test_the_marks_on_an_object_that_is_gone_go_without_a_word(api, path, item, journal):
    put(api, path)
    api.delete(path)
    journal.read()
    lapse()
    editing.sweep()
    assert journal.read() == []
    assert not models.Editor.objects.exists()
    assert editing.begin(item, item.todo_list.owner, "a") == []
    assert not models.Editor.objects.exists()


def test_a_list_is_edited_where_all_its_users_see_it(bobs, shared, alice, bob, journal):
    put(bobs, f"/api/todo-lists/{shared.pk}/")
    channels = {f"private-todo-list.{shared.pk}", *(f"private-user.{u.pk}" for u in (alice, bob))}
    assert {channel for _, channel, _ in journal.told()} == channels


def test_who_loses_the_object_is_shown_no_longer_than_the_lease(bobs, path, shared, journal):
    put(bobs, path)
    Membership.objects.all().delete()
    assert bobs.put(f"{path}editing/a/").status_code == 404
    journal.read()
    lapse()
    editing.sweep()
    on = f"on private-todo-list.{shared.pk}"
    assert told(journal) == [f"bob editing-ended {on}: "]


def test_an_event_has_the_name_of_the_write_that_caused_it(api, path, journal):
    api.put(f"{path}editing/a/", headers={"X-Mutation-ID": "m1"})
    assert [event.mutation for event in journal.read()] == ["m1"]


def test_what_is_known_to_another_version_only_is_left_to_that(item, alice, journal):
    editing.begin(item, alice, "a")
    models.Editor.objects.update(name="of-tomorrow")
    lapse()
    editing.sweep()
    assert models.Editor.objects.count() == 1


def test_models_without_a_publisher_and_tabs_without_a_name(item, alice):
    with pytest.raises(NotRegistered):
        editing.begin(alice, alice, "a")
    for tab in ("", "a b", "x" * 65, None, 7):
        with pytest.raises(InvalidTab):
            editing.begin(item, alice, tab)
        with pytest.raises(InvalidTab):
            editing.end(item, alice, tab)


@override_settings(REALTIME_EDITING_LEASE=0.4)
def test_a_lease_is_as_long_as_it_is_said_to_be(api, path, journal):
    answer = put(api, path)
    assert answer.json()["expires_in"] == 0.4
    until = threading.Event()
    while names(api.get(f"{path}editing/")):
        assert not until.wait(0.02)
    editing.sweep()
    assert [entry.split()[1] for entry in told(journal)] == ["editing", "editing-ended"]


def test_of_many_at_the_same_time_each_begins_once_and_ends_once(item, alice, bob, journal):
    """Threads begin, end and sweep: what the log tells is, at each moment, what is."""
    errors = []

    def work(user, tab):
        try:
            for _ in range(5):
                editing.begin(item, user, tab)
                editing.sweep()
                lapse(user_id=str(user.pk), tab=tab)
                editing.end(item, user, tab)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [
        threading.Thread(target=work, args=(user, tab)) for user in (alice, bob) for tab in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    editing.sweep()
    assert errors == []
    present = []
    for kind, _, data in journal.told():
        who = data["user"]["id"]
        assert (who in present) == (kind == "todo-item.editing-ended")
        present = [x for x in present if x != who] + [who] * (kind == "todo-item.editing")
        assert [person["id"] for person in data["editors"]] == present
    assert present == []
    assert not models.Editor.objects.exists()


def test_a_sweep_waits_for_nobody(item, alice, journal):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    other = TodoItem.objects.create(todo_list=item.todo_list, text="Milk")
    journal.read()
    for each in (item, other):
        editing.begin(each, alice, "a")
    lapse()
    held, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            editing.locks.take("default", [editing._lock("todo-item", str(item.pk))])
            held.set()
            done.wait(20)
        connections.close_all()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    editing.sweep()
    done.set()
    thread.join()
    assert list(models.Editor.objects.values_list("object_id", flat=True)) == [str(item.pk)]


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
