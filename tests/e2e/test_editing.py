"""Who is editing, and who may still save: on two servers, some of which die."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from tests.ports import wait_until
from tests.servers import cluster, stop_all
from tests.streams import Stream

LEASE = 3.0
ROUNDS = 4


@pytest.fixture(scope="module")
def servers(make_server, postgres_or_none):
    """Two servers on one database; they may be killed and are started again."""
    environ = {"REALTIME_EDITING_LEASE": str(LEASE), "REALTIME_EDITING_RATE": "100000"}
    found = cluster(make_server, postgres_or_none, workers=1, **environ)
    yield found
    stop_all(found)


@pytest.fixture
def clients(servers):
    """Alice on the one, bob on the other."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(server.client(name))
            for server, name in zip(servers, ("alice", "bob"), strict=True)
        ]


@pytest.fixture
def path(clients):
    """The address of a new item of the list that alice shares with bob."""
    item = clients[0].post("/api/todo-items/", json={"todo_list": 1, "text": "Bread"})
    return f"/api/todo-items/{item.json()['id']}/"


def begin(client, path, tab="a"):
    answer = client.put(f"{path}editing/{tab}/")
    assert answer.status_code == 200, answer.text
    return answer.json()


def names(client, path):
    return [person["info"]["name"] for person in client.get(f"{path}editing/").json()["editors"]]


def follow(server, client, path):
    """A stream from where the REST answer was, which shows who edits the item."""
    answer = client.get(f"{path}editing/")
    position = answer.headers["Link"].rpartition('="')[2].rstrip('"')
    return Stream(
        server.url, ["private-todo-list.1"], token=server.token("bob"), last_event_id=position
    ).opened()


def told(stream, path):
    """The next change of who is editing the item."""
    while True:
        kind, message = stream.change()
        data = message["data"]
        if "editors" in data and path.endswith(f"/{data['id']}/"):
            people = [person["info"]["name"] for person in data["editors"]]
            return f"{data['user']['info']['name']} {kind.partition('.')[2]}", people


@contextmanager
def open_tab(client, path):
    """A tab that says again and again that it is editing, and then is closed without a word."""
    begin(client, path)
    closed = threading.Event()

    def go_on():
        while not closed.wait(LEASE / 6):
            begin(client, path)

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        closed.set()
        thread.join()


def test_whoever_is_there_or_comes_sees_who_is_editing(servers, clients, path):
    (alice, bob), (one, other) = clients, servers
    with follow(one, bob, path) as here, follow(other, bob, path) as there:
        with open_tab(alice, path):
            for stream in (here, there):
                assert told(stream, path) == ("alice editing", ["alice"])
            assert names(bob, path) == ["alice"]
            begin(bob, path)
            # One who comes now starts with what is, and misses nothing from there on.
            late = follow(one, bob, path)
            assert bob.delete(f"{path}editing/a/").status_code == 204
            for stream in (here, there):
                assert told(stream, path) == ("bob editing", ["alice", "bob"])
                assert told(stream, path) == ("bob editing-ended", ["alice"])
            # It may be told again what it has seen; always who is editing, and nobody else.
            first = told(late, path)
            assert first in (
                ("bob editing", ["alice", "bob"]),
                ("bob editing-ended", ["alice"]),
            )
            if first[0] == "bob editing":
                assert told(late, path) == ("bob editing-ended", ["alice"])
        with late:
            for stream in (here, there, late):
                assert told(stream, path) == ("alice editing-ended", [])
    assert names(bob, path) == []


def test_who_goes_on_saying_so_stays(servers, clients, path):
    alice, bob = clients
    until = time.monotonic() + LEASE * 1.3
    with follow(servers[1], bob, path) as stream, open_tab(alice, path):
        while time.monotonic() < until:
            assert names(bob, path) == ["alice"]
            threading.Event().wait(LEASE / 10)
        begin(bob, path)
        assert told(stream, path) == ("alice editing", ["alice"])
        assert told(stream, path) == ("bob editing", ["alice", "bob"])


def test_workers_that_are_killed_leave_no_mark(servers, clients, path):
    (alice, bob), (_, other) = clients, servers
    with follow(other, bob, path) as stream:
        begin(alice, path)
        assert told(stream, path) == ("alice editing", ["alice"])
        # All of them, at once: nobody is left who knows.
        for worker in [worker for server in servers for worker in server.workers]:
            os.kill(worker, signal.SIGKILL)
        stream.rest()
    back = Stream(
        other.url,
        ["private-todo-list.1"],
        token=other.token("bob"),
        last_event_id=stream.last_event_id,
    )
    with back.opened():
        assert told(back, path) == ("alice editing-ended", [])
    assert names(bob, path) == []


def test_of_two_who_save_what_both_have_seen_one_is_told_of_the_other(clients, path):
    start, rounds = threading.Barrier(2), []

    def save(client):
        start.wait()
        n, tag = rounds[-1]
        headers = {"If-Match": tag}
        return client.patch(path, json={"text": f"{n} {client.base_url}"}, headers=headers)

    with ThreadPoolExecutor(2) as pool:
        for n in range(ROUNDS):
            rounds.append((n, clients[0].get(path).headers["ETag"]))
            first, second = sorted(pool.map(save, clients), key=lambda answer: answer.status_code)
            assert (first.status_code, second.status_code) == (200, 412)
            assert second.json()["current"] == first.json() == clients[0].get(path).json()
            assert second.headers["ETag"] == first.headers["ETag"]


def test_of_one_who_deletes_and_one_who_saves_only_the_first_does(clients):
    start = threading.Barrier(2)

    def send(request):
        start.wait()
        return request()

    with ThreadPoolExecutor(2) as pool:
        for _ in range(ROUNDS):
            made = clients[0].post("/api/todo-items/", json={"todo_list": 1, "text": "Bread"})
            path = f"/api/todo-items/{made.json()['id']}/"
            headers = {"If-Match": clients[0].get(path).headers["ETag"]}
            deleted, saved = pool.map(
                send,
                [
                    lambda p=path, h=headers: clients[0].delete(p, headers=h),
                    lambda p=path, h=headers: clients[1].patch(p, json={"text": "x"}, headers=h),
                ],
            )
            assert (deleted.status_code, saved.status_code) in ((204, 404), (412, 200))
            there = clients[0].get(path)
            assert there.status_code == (200 if saved.status_code == 200 else 404)


def test_the_list_of_what_is_edited_is_told_too(servers, clients, path):
    alice, bob = clients
    begin(alice, path)

    def results():
        return bob.get("/api/todo-items/editing/?todo_list=1").json()["results"]

    [row] = [row for row in results() if path.endswith(f"/{row['id']}/")]
    assert [person["info"]["name"] for person in row["editors"]] == ["alice"]
    wait_until(lambda: not results(), "all marks to end")


def test_the_mark_of_somebody_who_is_shut_out_ends_at_once(make_server):
    """Not with its lease, which is longer than this test waits."""
    server = make_server(REALTIME_EDITING_LEASE="600")
    with server.client() as alice, server.client("bob") as bob:
        shared = alice.post("/api/todo-lists/", json={"name": "x"}).json()["id"]
        alice.post(f"/api/todo-lists/{shared}/members/", json={"username": "bob"})
        item = alice.post("/api/todo-items/", json={"todo_list": shared, "text": "Bread"}).json()
        path = f"/api/todo-items/{item['id']}/"
        channel = f"private-todo-list.{shared}"
        with Stream(server.url, [channel], token=server.token("bob")) as stream:
            stream.opened()
            begin(bob, path)
            begin(alice, path)
            alice.delete(f"/api/todo-lists/{shared}/members/bob/").raise_for_status()
            assert stream.rest()
        wait_until(lambda: names(alice, path) == ["alice"], "bob's mark to end")
