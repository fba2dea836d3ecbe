"""Thousands of clients lose their connections at once, and all come back at the same moment."""

import asyncio
import json
import threading
import time
from collections import Counter
from contextlib import contextmanager

import httpx
import pytest

from tests.servers import wait_until
from tests.torture.clients import LINE, Client, all_opened, crowd, drop_all, percentile
from tests.torture.report import record

CLIENTS = 5000
USERS = 500
GOAL = 10.0
MISSED = 20


@pytest.fixture(params=["SQLite", "PostgreSQL and Redis"])
def herd_server(request, make_server):
    """Two workers, by the default settings."""
    if request.param == "SQLite":
        return request.param, make_server(WEB_CONCURRENCY="2")
    redis = request.getfixturevalue("redis_server")
    postgres = request.getfixturevalue("postgres")
    server = make_server(postgres=postgres, WEB_CONCURRENCY="2", REDIS_URL=redis.url)
    return request.param, server


class Api:
    """An ordinary client, that reads and writes all the time."""

    def __init__(self, server):
        self._client = server.client()
        self._stopping = threading.Event()
        self.answers = Counter()
        self.times = []
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stopping.wait(0.05):
            start = time.monotonic()
            try:
                answer = self._client.get("/api/todo-items/?todo_list=1")
                self.answers[answer.status_code] += 1
            except httpx.TransportError as error:
                self.answers[repr(error)] += 1
            self.times.append(time.monotonic() - start)

    def add(self, text):
        """Writes an item; its id."""
        answer = self._client.post("/api/todo-items/", json={"todo_list": 1, "text": text})
        self.answers[answer.status_code] += 1
        return answer.json()["id"]

    @contextmanager
    def busy(self):
        self._thread.start()
        try:
            yield self
        finally:
            self._stopping.set()
            self._thread.join()
            self._client.close()


async def opened(clients):
    """Opens the streams one after the other, a few hundred at a time."""
    for start in range(0, len(clients), 250):
        part = clients[start : start + 250]
        await asyncio.gather(*(client.open() for client in part))
        await all_opened(part, 60)


async def stampede(server, clients, api):
    """Drops all, writes, and has all come back at once; how long that takes, and what was
    written."""
    await opened(clients)
    dropped = time.monotonic()
    await drop_all(clients)
    written = [await asyncio.to_thread(api.add, f"missed {n}") for n in range(MISSED)]
    coming = time.monotonic()
    await asyncio.gather(*(client.open() for client in clients))
    await all_opened(clients, 60)
    took = max(client.opened_at for client in clients) - coming
    written.append(await asyncio.to_thread(api.add, "for all"))
    await complete(clients, len(written))
    count = "SELECT count(*) FROM realtime_stream"
    await asyncio.to_thread(
        wait_until, lambda: server.query(count) == [(CLIENTS,)], "all streams to be counted"
    )
    await drop_all(clients)
    assert coming - dropped < GOAL
    return took, written


async def complete(clients, count):
    """Waits until all have as many events, and until nothing more is on its way."""
    end = time.monotonic() + 30
    for client in clients:
        while len(client.events) < count and time.monotonic() < end:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.05)
    await asyncio.sleep(1)


def items(client):
    """The ids of the items that were created, in the order in which the stream told of them."""
    found = [json.loads(data)["data"]["id"] for _, _, kind, data in client.events
             if kind == b"todo-item.created"]  # fmt: skip
    assert len(found) == len(client.events), "a reset or something else came"
    return found


def test_thousands_come_back_at_once(herd_server):
    backend, server = herd_server
    tokens = crowd(server, USERS)
    clients = [Client(server.port, [LINE], tokens[n % USERS]) for n in range(CLIENTS)]
    with Api(server).busy() as api:
        took, written = asyncio.run(stampede(server, clients, api))
    slowest = percentile(api.times, 1)
    failed = sum(count for code, count in api.answers.items() if code not in (200, 201))
    record(
        f"Herd, {backend}",
        how=f"{CLIENTS:,} streams of {USERS} users broken at once, {MISSED} writes, then all resume"
        " at the same moment, without the delay that browsers are told to wait; 2 workers",
        count=CLIENTS,
        worst=f"all resumed in {took:.1f} s, each with what it missed, once; REST: {failed} of"
        f" {sum(api.answers.values())} failed, slowest answer {slowest:.1f} s",
        goal=f"≤ {GOAL:g} s, no 5xx",
        command='make torture ARGS="-k herd"',
    )
    for client in clients:
        assert items(client) == written
    assert failed == 0, api.answers
    assert took <= GOAL
