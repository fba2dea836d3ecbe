"""Two who write the same row at the same moment are told of one after the other.

On PostgreSQL: on SQLite, there is only one writer at a time.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.models.signals import m2m_changed
from rest_framework import serializers

from realtime.publishing import keys
from realtime.publishing.publisher import ModelPublisher
from realtime.publishing.signals import _many_to_many
from tests.integration.conftest import Journal
from tests.kinds import clear_tables, create_tables
from tests.kinds.models import Place, Product, ProxyOfProduct, Restaurant
from tests.ports import DEADLINE, wait_until
from todos.models import Membership, TodoItem, TodoList

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def users(postgres_log, django_user_model):
    return [django_user_model.objects.get_or_create(username=name)[0] for name in ("alice", "bob")]


@pytest.fixture
def lists(users):
    return [TodoList.objects.create(name=name, owner=users[0]) for name in "123"]


@pytest.fixture
def gone(lists):
    """An item that was deleted, as two have it who don't know that yet."""
    item = TodoItem.objects.create(todo_list=lists[0], text="Bread")
    both = [TodoItem.objects.get(pk=item.pk) for _ in range(2)]
    item.delete()
    for one, text in zip(both, "AB", strict=True):
        one.text = text
    return both


@pytest.fixture
def all_kinds(postgres_log):
    create_tables()
    yield
    clear_tables()


def upsert(item):
    TodoItem.objects.bulk_create(
        [item], update_conflicts=True, unique_fields=["id"], update_fields=["text"]
    )


def anew(item):
    """The same key and text, by somebody who has never seen the row."""
    return TodoItem(pk=item.pk, todo_list_id=item.todo_list_id, text=item.text, position=1)


def together(first, second, then=lambda: None):
    """`first` in a transaction that goes on to `then`, and is committed, once `second` waits for
    it, or is done; answers whether it was done."""

    def run():
        try:
            second()
        finally:
            connections.close_all()

    def waits():
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return going.done() or cursor.fetchone()[0]

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            first()
            going = pool.submit(run)
            wait_until(waits, "the second to wait for the first")
            was_done = going.done()
            then()
        going.result(DEADLINE)
    return was_done


FIRST = {
    "saved": lambda item: item.save(),
    "saved anew": lambda item: anew(item).save(),
    "inserted": lambda item: anew(item).save(force_insert=True),
    "inserted in bulk": lambda item: TodoItem.objects.bulk_create([anew(item)]),
    "upserted": lambda item: upsert(anew(item)),
}
SECOND = {
    "saved": lambda item: item.save(),
    "saved anew": lambda item: anew(item).save(),
    "upserted": lambda item: upsert(anew(item)),
}


@pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)
@pytest.mark.parametrize("first", FIRST.values(), ids=FIRST)
def test_a_row_that_appears_under_a_missing_key_is_not_taken_for_ones_own(gone, first, second):
    journal = Journal()
    together(lambda: first(gone[0]), lambda: second(gone[1]))
    told = [(kind, data["text"]) for kind, _, data in journal.told()]
    assert told == [("todo-item.created", "A"), ("todo-item.updated", "B")]


def test_a_row_that_appears_is_told_to_be_deleted(gone):
    journal = Journal()
    together(gone[0].save, gone[1].delete)
    assert [kind for kind, _, _ in journal.told()] == ["todo-item.created", "todo-item.deleted"]


def test_a_row_that_appears_is_locked(gone):
    refused = []

    def ask():
        with transaction.atomic():
            TodoItem.objects.select_for_update(nowait=True).get(pk=gone[0].pk)

    def lock():
        with transaction.atomic(), ThreadPoolExecutor(1) as pool:
            keys.lock(TodoItem, [gone[0].pk], "default")
            refused.append(pool.submit(ask).exception(DEADLINE))
            pool.submit(connections.close_all).result(DEADLINE)

    together(gone[0].save, lock)
    assert isinstance(refused[0], OperationalError)


def test_who_only_inserts_waits_for_nobody_else_who_does(gone):
    one = anew(gone[0])
    other = TodoItem(pk=one.pk + 10**6, todo_list_id=one.todo_list_id, text="other", position=1)
    journal = Journal()
    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        one.save(force_insert=True)
        pool.submit(other.save, force_insert=True).result(DEADLINE)
        pool.submit(connections.close_all).result(DEADLINE)
    assert sorted(data["text"] for _, _, data in journal.told()) == ["A", "other"]


def test_two_may_write_very_many_missing_keys(lists):
    """More than PostgreSQL has room for locks, and none of one's in the other's way."""
    first, second = range(10**6, 10**6 + 9000), range(2 * 10**6, 2 * 10**6 + 9000)

    def hold(pks):
        keys.lock(TodoItem, pks, "default")

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        hold(first[:-1])

        def other():
            with transaction.atomic():
                hold(second)

        pool.submit(other).result(DEADLINE)
        pool.submit(connections.close_all).result(DEADLINE)
        hold(first[-1:])


def held():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM realtime_key")
        return cursor.fetchone()[0]


def test_missing_keys_are_pruned_but_for_those_that_are_being_written(gone, monkeypatch):
    monkeypatch.setattr(keys, "_BATCH", 2)
    with transaction.atomic():
        keys.lock(TodoItem, range(10**6, 10**6 + 9), "default")
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        keys.lock(TodoItem, [10**6], "default")
        pool.submit(keys.prune, "default").result(DEADLINE)
        assert held() == 1
        pool.submit(connections.close_all).result(DEADLINE)
    call_command("realtime_prune")
    assert held() == 0


@pytest.mark.usefixtures("all_kinds")
def test_a_missing_key_of_a_proxy_is_that_of_its_model():
    def lock(model):
        with transaction.atomic():
            keys.lock(model, ["a"], "default")

    assert not together(lambda: lock(ProxyOfProduct), lambda: lock(Product))


def test_who_only_inserts_conflicts_with_nobody_when_all_is_serializable(lists):
    """Also when the database knows that the table is small, and reads all of it where it can."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE realtime_key")
    both = threading.Barrier(2, timeout=DEADLINE)

    def insert(pk):
        try:
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE")
                both.wait()
                keys.lock(TodoItem, [pk], "default")
                both.wait()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        for pk in range(10**6, 10**6 + 20, 2):
            for going in [pool.submit(insert, pk), pool.submit(insert, pk + 1)]:
                going.result(DEADLINE)


def test_an_upsert_by_other_fields_finds_what_was_inserted_meanwhile(users, lists):
    def share():
        Membership.objects.bulk_create(
            [Membership(todo_list=lists[0], user=users[1])],
            update_conflicts=True,
            unique_fields=["todo_list", "user"],
            update_fields=["user"],
        )

    journal = Journal()
    together(share, share)
    entered = [kind for kind, _, _ in journal.told() if kind == "todo-list.entered"]
    assert len(entered) == 1


def test_a_row_that_one_did_not_insert_is_not_told_by_one(gone):
    journal = Journal()
    one, other = map(anew, gone)
    together(
        lambda: one.save(force_insert=True),
        lambda: TodoItem.objects.bulk_create([other], ignore_conflicts=True),
    )
    assert [(k, data["text"]) for k, _, data in journal.told()] == [("todo-item.created", "A")]


def test_a_followed_row_is_locked_before_what_it_points_to(users, lists):
    one = Membership.objects.create(todo_list=lists[0], user=users[1])
    together(
        lambda: Membership.objects.select_for_update().get(pk=one.pk),
        Membership.objects.get(pk=one.pk).save,
        one.save,
    )


def test_a_deletion_locks_what_points_to_a_row_before_it(lists):
    item = TodoItem.objects.create(todo_list=lists[0], text="Bread")

    def rename():
        TodoList.objects.filter(pk=lists[0].pk).update(name="Bakery")

    journal = Journal()
    together(
        lambda: TodoItem.objects.filter(pk=item.pk).update(text="Rye bread"),
        lists[0].delete,
        rename,
    )
    assert {kind for kind, _, _ in journal.told()} == {
        f"todo-{kind}" for kind in ("item.updated", "list.updated", "item.deleted", "list.deleted")
    }


@pytest.mark.usefixtures("all_kinds")
def test_the_parts_of_an_object_are_locked_in_the_order_in_which_they_are_saved():
    restaurant = Restaurant.objects.create(name="a")
    stale = Restaurant.objects.get(pk=restaurant.pk)
    stale.name = "c"
    journal = Journal()
    together(
        lambda: Place.objects.select_for_update().get(pk=restaurant.pk),
        stale.save,
        Place(pk=restaurant.pk, name="b").save,
    )
    assert [data["name"] for _, _, data in journal.told()] == ["b", "c"]


MOVED = {
    "moved": lambda one, lists: Membership.objects.filter(pk=one.pk).update(todo_list=lists[2]),
    "deleted": lambda one, lists: one.delete(),
    "deleted in bulk": lambda one, lists: Membership.objects.filter(pk=one.pk).delete(),
}


@pytest.mark.parametrize("second", MOVED.values(), ids=MOVED)
def test_who_waited_for_a_row_takes_it_from_where_it_has_got_to(users, lists, second):
    bob = users[1]
    one = Membership.objects.create(todo_list=lists[0], user=bob)
    journal = Journal()
    together(
        lambda: Membership.objects.filter(pk=one.pk).update(todo_list=lists[1]),
        lambda: second(one, lists),
    )
    channel = f"private-user.{bob.pk}"
    left = [
        data["id"]
        for kind, name, data in journal.told()
        if (kind, name) == ("todo-list.left", channel)
    ]
    assert left == [lists[0].pk, lists[1].pk]


@pytest.fixture
def groups(users):
    """A relation without a model of its own, as publishers of users would watch it."""

    class Serializer(serializers.ModelSerializer):
        class Meta:
            model = User
            fields = ("id", "groups")

    class Publisher(ModelPublisher):
        serializer_class = Serializer

        def channels(self, obj):
            return [f"private-user.{obj.pk}"]

    through = User.groups.through
    receive = _many_to_many(Publisher(User), User._meta.get_field("groups"))
    m2m_changed.connect(receive, sender=through, weak=False)
    yield [Group.objects.get_or_create(name=name)[0] for name in "ab"]
    m2m_changed.disconnect(receive, sender=through)


def test_nobody_adds_to_a_relation_between_who_clears_it_and_the_end(users, groups):
    alice, bob = users
    alice.groups.set(groups)
    bob.groups.clear()
    journal = Journal()
    # References are checked when they are committed.
    assert not together(groups[0].user_set.clear, lambda: bob.groups.add(groups[0]))
    told = [(data["id"], data["groups"]) for _, _, data in journal.told()]
    assert told == [(alice.pk, [groups[1].pk]), (bob.pk, [groups[0].pk])]
