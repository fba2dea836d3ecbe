"""What a refusal costs tells nothing either."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from realtime import log
from todos.models import TodoList


@pytest.fixture
def bobs_list(bob):
    return TodoList.objects.create(name="Bob's", owner=bob)


def queries(client, names):
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = client.get(
            "/api/events/", {"channel": names}, headers={"Accept": "text/event-stream"}
        )
    assert answer.status_code == 403
    return [query["sql"].split("WHERE")[0] for query in captured.captured_queries]


@pytest.mark.parametrize(
    "pattern", ["private-todo-list.{}", "presence-todo-list.{}", "private-user.{}"]
)
def test_a_foreign_object_costs_the_same_queries_as_one_that_there_is_not(
    alice, bob, bobs_list, client_of, pattern
):
    client = client_of(alice)
    log.head()  # Makes the log's head, which is there for good then.
    foreign = pattern.format(bob.pk if "user" in pattern else bobs_list.pk)
    unknown = pattern.format(10**9)
    assert queries(client, [foreign]) == queries(client, [unknown])
    own = f"private-user.{alice.pk}"
    assert queries(client, [own, foreign]) == queries(client, [own, unknown])
