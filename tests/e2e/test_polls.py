"""Long polling: an answer that is kept back until there is something to tell."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.servers import DEADLINE, Server, wait_until

LONG = "wait=200"
"""Much longer than any of these tests has patience for."""


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads for those who wait."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


@pytest.fixture(scope="module")
def small(make_server: Callable[..., Server]) -> Server:
    """A server with one thread for requests, and room for three streams of a user."""
    return make_server(
        REALTIME_THREADS="1", REALTIME_MAX_STREAMS_PER_USER="3", REALTIME_MAX_WAIT="250"
    )


def poll(
    client: httpx.Client, name: str, prefer: str = LONG, after: str | None = None
) -> httpx.Response:
    headers = {"Accept": "application/json", "Prefer": prefer}
    if after is not None:
        headers["Last-Event-ID"] = after
    return client.get("/api/events/", params={"channel": name}, headers=headers)


def settle(server: Server) -> None:
    unnumbered = "SELECT count(*) FROM realtime_event WHERE seq IS NULL"
    wait_until(lambda: server.query(unnumbered) == [(0,)], "all events to be numbered")


def make_list(client: httpx.Client, server: Server) -> tuple[int, str]:
    pk: int = client.post("/api/todo-lists/", json={"name": "Polled"}).json()["id"]
    # That it was made has its number a moment later, and would be news to who asks from now on.
    settle(server)
    return pk, f"private-todo-list.{pk}"


def add(client: httpx.Client, pk: int, text: str) -> Any:
    return client.post("/api/todo-items/", json={"todo_list": pk, "text": text}).json()


def held(server: Server) -> int:
    """How many streams and polls the server holds and counts."""
    return int(server.query("SELECT count(*) FROM realtime_stream")[0][0])


def waiting(
    server: Server, pool: ThreadPoolExecutor, *args: Any, others: int = 0
) -> Future[httpx.Response]:
    """A poll, once the server holds it; it holds so many others."""
    # Who was answered is forgotten a moment later.
    wait_until(lambda: held(server) == others, "earlier polls to be forgotten")
    future = pool.submit(poll, *args)
    wait_until(lambda: held(server) == others + 1, "the poll to be held")
    return future


def test_a_poll_is_answered_when_something_comes(small: Server, pool: ThreadPoolExecutor) -> None:
    with small.client() as alice:
        pk, name = make_list(alice, small)
        future = waiting(small, pool, alice, name)
        assert not future.done()
        item = add(alice, pk, "a")
        answer = future.result(DEADLINE)
        assert answer.headers["Preference-Applied"] == LONG
        assert not [header for header in answer.headers if header.startswith("grip")]
        page = answer.json()
        assert [event["data"]["data"] for event in page["events"]] == [item]
        assert page["last_event_id"] == page["events"][0]["id"]
        # What came meanwhile is there at once, and what there was is not told twice.
        other = add(alice, pk, "b")
        page = poll(alice, name, after=page["last_event_id"]).json()
        assert [event["data"]["data"] for event in page["events"]] == [other]


def test_who_never_pauses_misses_nothing(small: Server, pool: ThreadPoolExecutor) -> None:
    with small.client() as alice, small.client() as reader:
        pk, name = make_list(alice, small)
        after = poll(reader, name, "wait=0").json()["last_event_id"]
        wanted = [f"text {n}" for n in range(40)]
        writing = pool.submit(lambda: [add(alice, pk, text) for text in wanted])
        seen: list[str] = []
        while len(seen) < len(wanted):
            page = poll(reader, name, after=after).json()
            after = page["last_event_id"]
            seen += [event["data"]["data"]["text"] for event in page["events"]]
        writing.result(DEADLINE)
        assert seen == wanted


def test_nothing_is_an_answer_too_and_moves_on(small: Server) -> None:
    with small.client() as alice:
        _, name = make_list(alice, small)
        other, _ = make_list(alice, small)
        before = poll(alice, name, "wait=0")
        assert "Preference-Applied" not in before.headers
        start = before.json()["last_event_id"]
        add(alice, other, "elsewhere")
        settle(small)
        page = poll(alice, name, "wait=1", after=start).json()
        assert (page["events"], page["reset"]) == ([], None)
        assert page["last_event_id"] != start


def test_nobody_waits_longer_than_is_allowed(small: Server) -> None:
    with small.client() as alice:
        pk, name = make_list(alice, small)
        start = poll(alice, name, "wait=0").json()["last_event_id"]
        add(alice, pk, "a")
        answer = poll(alice, name, "wait=999999", after=start)
    assert answer.headers["Preference-Applied"] == "wait=250"


@pytest.mark.parametrize("after", ["nonsense", "0-abcdefgh"])
def test_who_can_not_resume_is_told_at_once(small: Server, after: str) -> None:
    with small.client() as alice:
        page = poll(alice, "private-user.1", after=after).json()
    assert page["reset"]["reason"] == "unknown-id"


def test_a_right_that_ends_answers_the_poll(small: Server, pool: ThreadPoolExecutor) -> None:
    with small.client() as alice, small.client("bob") as bob:
        pk, name = make_list(alice, small)
        alice.post(f"/api/todo-lists/{pk}/members/", json={"username": "bob"})
        settle(small)
        # His own channel hears of it as well, and what that has to tell would end the poll.
        future = waiting(small, pool, bob, name)
        alice.delete(f"/api/todo-lists/{pk}/members/bob/")
        answer = future.result(DEADLINE)
        if answer.status_code == 200:
            answer = poll(bob, name, after=answer.json()["last_event_id"])
        assert answer.status_code == 403
        assert answer.json()["detail"]


def test_a_logout_answers_the_poll(small: Server, pool: ThreadPoolExecutor) -> None:
    with small.client("bob") as bob:
        future = waiting(small, pool, bob, "private-user.2")
        small.shell("from rest_framework.authtoken.models import Token as T\n"
                    "T.objects.filter(user__username='bob').delete()")  # fmt: skip
        assert future.result(DEADLINE).status_code == 403


def test_who_waits_takes_no_thread_but_counts(small: Server, pool: ThreadPoolExecutor) -> None:
    with small.client() as alice:
        pk, name = make_list(alice, small)
        futures = [waiting(small, pool, alice, name, others=n) for n in range(3)]
        assert poll(alice, name).status_code == 429
        # The only thread is free.
        add(alice, pk, "a")
        assert all(len(future.result(DEADLINE).json()["events"]) == 1 for future in futures)
        # So is the room.
        wait_until(lambda: poll(alice, name, "wait=1").status_code == 200, "room for a poll")


def test_a_client_that_leaves_is_forgotten(small: Server) -> None:
    with small.client() as alice:
        _, name = make_list(alice, small)
        alice.timeout = httpx.Timeout(1)
        wait_until(lambda: held(small) == 0, "earlier polls to be forgotten")
        with pytest.raises(httpx.ReadTimeout):
            poll(alice, name)
    wait_until(lambda: held(small) == 0, "the poll to be forgotten")


def test_a_server_that_ends_answers_first(
    make_server: Callable[..., Server], pool: ThreadPoolExecutor
) -> None:
    server = make_server(REALTIME_MAX_WAIT="250")
    with server.client() as alice:
        future = waiting(server, pool, alice, "private-user.1")
        assert server.process
        os.kill(server.process.pid, signal.SIGTERM)
        answer = future.result(DEADLINE)
    assert answer.status_code == 200
    assert answer.json()["events"] == []
