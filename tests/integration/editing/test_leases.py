"""Until when somebody is editing: marks that nobody renews, too many, or of nothing."""

import threading
from datetime import timedelta
from functools import partial

import pytest
from django.db import connections
from django.db.models.functions import Now
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from realtime import models
from realtime.editing import marks
from tests.integration.editing.conftest import drop, lapse, names, put, told
from tests.threads import at_once, open_transaction
from todos.models import Membership, TodoItem, TodoList

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_mark_that_is_not_renewed_ends_by_itself(api, bobs, path, item, journal):
    on = f"on private-todo-list.{item.todo_list_id}"
    put(api, path)
    put(bobs, path)
    marks.sweep()
    lapse(user_id=str(item.todo_list.owner_id))
    # Whoever looks sees it at once, whether or not somebody has told it.
    assert names(bobs.get(f"{path}editing/")) == ["bob"]
    marks.sweep()
    marks.sweep()
    lapse()
    assert bobs.get("/api/todo-items/editing/").json()["results"] == []
    marks.sweep()
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


def test_more_tabs_than_anybody_has_are_not_kept(api, path, journal):
    for n in range(12):
        put(api, path, f"t{n}")
    tabs = list(models.Editor.objects.order_by("pk").values_list("tab", flat=True))
    assert tabs == [f"t{n}" for n in range(2, 12)]
    assert len(told(journal)) == 1


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
    marks.sweep()
    assert journal.read() == []
    assert not models.Editor.objects.exists()
    assert marks.begin(item, item.todo_list.owner, "a") == []
    assert not models.Editor.objects.exists()


def test_who_loses_the_object_is_shown_no_longer_than_the_lease(bobs, path, shared, journal):
    put(bobs, path)
    Membership.objects.all().delete()
    assert bobs.put(f"{path}editing/a/").status_code == 404
    journal.read()
    lapse()
    marks.sweep()
    on = f"on private-todo-list.{shared.pk}"
    assert told(journal) == [f"bob editing-ended {on}: "]


def test_what_is_known_to_another_version_only_is_left_to_that(item, alice, journal):
    marks.begin(item, alice, "a")
    models.Editor.objects.update(name="of-tomorrow")
    lapse()
    marks.sweep()
    assert models.Editor.objects.count() == 1


@override_settings(REALTIME_EDITING_LEASE=0.4)
def test_a_lease_is_as_long_as_it_is_said_to_be(api, path, journal):
    answer = put(api, path)
    assert answer.json()["expires_in"] == 0.4
    until = threading.Event()
    while names(api.get(f"{path}editing/")):
        assert not until.wait(0.02)
    marks.sweep()
    assert [entry.split()[1] for entry in told(journal)] == ["editing", "editing-ended"]


def test_of_many_at_the_same_time_each_begins_once_and_ends_once(item, alice, bob, journal):
    """Threads begin, end and sweep: what the log tells is, at each moment, what is."""

    def work(user, tab):
        for _ in range(5):
            marks.begin(item, user, tab)
            marks.sweep()
            lapse(user_id=str(user.pk), tab=tab)
            marks.end(item, user, tab)

    at_once(*(partial(work, user, tab) for user in (alice, bob) for tab in "ab"))
    marks.sweep()
    present = []
    for kind, _, data in journal.told():
        who = data["user"]["id"]
        assert (who in present) == (kind == "todo-item.editing-ended")
        present = [x for x in present if x != who] + [who] * (kind == "todo-item.editing")
        assert [person["id"] for person in data["editors"]] == present
    assert present == []
    assert not models.Editor.objects.exists()


# SQLite has one writer at a time.
@pytest.mark.parametrize("either_database", ["postgres"], indirect=True)
def test_a_sweep_waits_for_nobody(item, alice, journal):
    other = TodoItem.objects.create(todo_list=item.todo_list, text="Milk")
    journal.read()
    for each in (item, other):
        marks.begin(each, alice, "a")
    lapse()
    names = [marks._lock("todo-item", str(item.pk))]
    with open_transaction(lambda: marks.locks.take("default", names)):
        marks.sweep()
    assert list(models.Editor.objects.values_list("object_id", flat=True)) == [str(item.pk)]


def test_who_loses_the_right_to_read_edits_no_more(api, bobs, path, item, alice, bob, journal):
    channel = f"private-todo-list.{item.todo_list_id}"
    put(api, path)
    put(bobs, path)
    marks.leave({str(bob.pk): {"private-todo-list.0"}, str(alice.pk): {"private-user.0"}})
    marks.leave({str(bob.pk): {channel}})
    marks.leave({str(bob.pk): {channel}})
    assert names(api.get(f"{path}editing/")) == ["alice"]
    assert told(journal)[2:] == [f"bob editing-ended on {channel}: alice"]
