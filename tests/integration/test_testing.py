"""The test kit for other projects, in each of Django's test cases."""

import re

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client, TestCase, TransactionTestCase
from rest_framework.test import APIClient

import realtime
from realtime import location, sequencer
from realtime.brokers import MemoryBroker
from realtime.testing import (
    Stream,
    StreamRefused,
    assert_converges,
    assert_publishes,
    capture_events,
    settle,
)
from todos.models import Membership, TodoItem, TodoList


@pytest.fixture
def client(alice):
    client = Client()
    client.force_login(alice)
    return client


def add(todo_list, text="Bread"):
    return TodoItem.objects.create(todo_list=todo_list, text=text)


# What is published


def test_what_is_published_is_what_should_be(groceries, channel):
    with assert_publishes((channel, "todo-item.created", {"text": "Bread", "done": False})):
        item = add(groceries)
    with assert_publishes((channel, "todo-item.updated"), (channel, "todo-item.deleted")) as events:
        item.done = True
        item.save()
        item.delete()
    assert [event.changed for event in events] == [("done",), None]
    with assert_publishes():
        pass


def failure(*expected, publish):
    with pytest.raises(AssertionError) as caught, assert_publishes(*expected):
        publish()
    return str(caught.value).splitlines()[1:]


def test_a_failure_says_what_differs(groceries, channel):
    item = add(groceries)
    created = f"{channel} todo-item.created"
    assert failure((channel, "todo-item.created"), publish=lambda: None) == [f"- {created}"]
    told = failure(publish=lambda: add(groceries, "Milk"))
    assert len(told) == 1
    assert told[0].startswith(f'+ {created} {{"created_at": ')
    wanted = (channel, "todo-item.created", {"text": "Milk"})
    told = failure(wanted, publish=lambda: add(groceries, "Mild"))
    assert [line for line in told if line[0] != "?"] == [
        f'- {created} {{"text": "Milk"}}',
        f'+ {created} {{"text": "Mild"}}',
    ]
    # Another order is another thing; what is as it should be is not marked.
    both = [(channel, "todo-item.deleted"), (channel, "todo-item.created")]
    told = failure(*both, publish=lambda: (add(groceries), item.delete()))
    assert sorted(line[0] for line in told) == [" ", "+", "-"]
    told = failure((channel, "todo-item.created", {"txt": 1}), publish=lambda: add(groceries))
    assert '"text": "Bread"' in "".join(told)


def test_ephemeral_events_and_those_that_are_no_models_count(db):
    with assert_publishes(("news", "headline", {"text": "x"}), ("news", "typing", {"who": [1]})):
        realtime.trigger("news", "typing", {"who": (1,)}, ephemeral=True)
        realtime.trigger("news", "headline", {"text": "x"})


def test_what_is_rolled_back_is_not_published(groceries):
    with assert_publishes(), pytest.raises(ZeroDivisionError), transaction.atomic():
        add(groceries)
        raise ZeroDivisionError


def test_an_error_within_is_told_and_not_what_it_published(groceries):
    with pytest.raises(ZeroDivisionError), assert_publishes():
        add(groceries)
        raise ZeroDivisionError


def test_more_than_a_page_of_events_is_captured(groceries, settings):
    settings.REALTIME_REPLAY_PAGE = 2
    with capture_events() as events:
        for number in range(5):
            add(groceries, str(number))
    assert len(events) == 5


def test_no_connection_is_left_to_the_database_of_tests(monkeypatch):
    monkeypatch.setattr(location, "address", lambda: "postgresql://?host=nowhere")
    assert type(sequencer.broker.__wrapped__()) is MemoryBroker


# Streams


def test_a_stream_brings_what_happens_once_and_in_order(groceries, channel, client, settings):
    settings.REALTIME_REPLAY_PAGE = 2
    stream = Stream(client, channel)
    item = add(groceries)
    TodoItem.objects.update(done=True)
    item.delete()
    received = stream.read()
    assert [change.type.partition(".")[2] for change in received] == [
        "created", "updated", "deleted"
    ]  # fmt: skip
    assert received[0].data["text"] == "Bread"
    assert received[0].channel == channel
    assert received[1].changed == ("done",)
    assert received[2].data == {"id": received[0].data["id"]}
    assert stream.last_event_id == received[2].id
    assert stream.read() == []


def test_an_answer_leads_to_its_stream(groceries, client):
    settle()
    answer = client.get(f"/api/todo-items/?todo_list={groceries.pk}")
    add(groceries)
    headers = {"X-Mutation-ID": "m1"}
    row = {"todo_list": groceries.pk, "text": "Milk"}
    client.post("/api/todo-items/", row, "application/json", headers=headers)
    changes = Stream.of(client, answer).read()
    assert [(change.data["text"], change.mutation) for change in changes] == [
        ("Bread", None), ("Milk", "m1")
    ]  # fmt: skip
    with pytest.raises(AssertionError, match="no Link"):
        Stream.of(client, client.get("/api/schema/"))


def test_a_stream_has_the_rights_of_its_client(groceries, channel, alice, bob):
    other = APIClient()
    with pytest.raises(StreamRefused) as refused:
        Stream(other, channel)
    assert refused.value.status == 401
    other.force_authenticate(bob)
    membership = Membership.objects.create(todo_list=groceries, user=bob)
    stream = Stream(other, channel)
    membership.delete()
    with pytest.raises(StreamRefused) as refused:
        stream.read()
    assert refused.value.status == 403


def test_a_stream_from_nowhere_is_reset(channel, client):
    stream = Stream(client, channel, last_event_id="7-00000000")
    assert (stream.reset, stream.read()) == ("unknown-id", [])
    assert stream.reset is None


# Replicas


def churn(todo_list):
    def act(random):
        items = list(TodoItem.objects.filter(todo_list=todo_list))
        if not items or random.random() < 0.4:
            add(todo_list, str(random.random()))
        elif random.random() < 0.5:
            random.choice(items).delete()
        else:
            TodoItem.objects.filter(pk=random.choice(items).pk).update(text=str(random.random()))

    return act


def test_a_replica_follows_whatever_happens(groceries, client):
    url = f"/api/todo-items/?todo_list={groceries.pk}&limit=2"
    replica = assert_converges(churn(groceries), client, url, steps=25, seed=1)
    assert replica.rows
    replica = assert_converges(lambda: add(groceries, "last"), client, url)
    assert "last" in [row["text"] for row in replica.rows.values()]


def test_a_replica_of_several_channels_follows_lists_that_come_and_go(groceries, client, alice):
    def come():
        add(TodoList.objects.create(name="new", owner=alice))

    def move():
        target = TodoList.objects.create(name="target", owner=alice)
        add(target)
        TodoItem.objects.filter(todo_list=groceries).update(todo_list=target)
        add(groceries)

    def go():
        TodoList.objects.exclude(pk=groceries.pk).first().delete()

    for action in (come, move, go):
        assert_converges(action, client, "/api/todo-items/", steps=2)
    client.logout()
    with pytest.raises(AssertionError):
        assert_converges(come, client, "/api/todo-items/")


def test_a_write_that_is_not_published_is_noticed_and_can_be_repeated(groceries, client):
    item = add(groceries)
    drawn = []

    def write(random):
        drawn.append(str(random.random()))
        with connection.cursor() as cursor:
            table = TodoItem._meta.db_table
            cursor.execute(f"UPDATE {table} SET text = %s WHERE id = %s", [drawn[-1], item.pk])

    with pytest.raises(AssertionError, match=r"(?s)step 1 \(seed .*- .*'Bread'.*\+ ") as caught:
        assert_converges(write, client, "/api/todo-items/")
    seed = int(re.search(r"seed (\d+)", str(caught.value))[1])
    item.refresh_from_db()
    with pytest.raises(AssertionError):
        assert_converges(write, client, "/api/todo-items/", seed=seed, steps=2)
    assert drawn[0] == drawn[1]


# Django's own test cases


class _Both:
    def test_a_write(self):
        alice = User.objects.create_user("alice")
        self.client.force_login(alice)
        todo_list = TodoList.objects.create(name="x", owner=alice)
        name = f"private-todo-list.{todo_list.pk}"
        stream = Stream(self.client, name)
        with assert_publishes((name, "todo-item.created")):
            add(todo_list)
        assert [change.type for change in stream.read()] == ["todo-item.created"]
        assert_converges(lambda: add(todo_list), self.client, "/api/todo-items/")


class InTransaction(_Both, TestCase):
    def test_settling_runs_no_callbacks(self):
        ran = []
        with assert_publishes(("news", "headline")):
            transaction.on_commit(lambda: ran.append(1))
            realtime.trigger("news", "headline")
        assert ran == []

    async def test_a_write_in_an_asynchronous_test(self):
        await sync_to_async(self.test_a_write)()
        todo_list = await TodoList.objects.aget()
        stream = await sync_to_async(Stream)(self.client, f"private-todo-list.{todo_list.pk}")
        await TodoItem.objects.acreate(todo_list=todo_list, text="Bread")
        assert [change.type for change in await stream.aread()] == ["todo-item.created"]


class WithoutTransaction(_Both, TransactionTestCase):
    pass
