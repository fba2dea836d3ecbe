"""Open streams pin nothing of Django's: no thread, and no connection of PostgreSQL's."""

import asyncio
import os

from tests.servers import wait_until
from tests.torture.clients import LINE, Client, all_opened, crowd
from tests.torture.report import record

STREAMS, USERS = 1000, 100
WARMING = 64
"""So many requests at once have every thread of the pool work, and take its connection."""


def pinned(server, postgres):
    """Threads of the worker, connections to its database, and how many of these are in use."""
    [worker] = server.workers
    name = server.environ["DATABASE_URL"].rpartition("/")[2]
    with postgres.connect() as connection:
        rows = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = %s", [name]
        ).fetchall()
    busy = sum(state != "idle" for (state,) in rows)
    return len(os.listdir(f"/proc/{worker}/task")), len(rows), busy


async def opened(server, tokens, count):
    clients = [Client(server.port, [LINE], tokens[n % USERS]) for n in range(count)]
    for start in range(0, count, 200):
        part = clients[start : start + 200]
        await asyncio.gather(*(client.open() for client in part))
        await all_opened(part, 30)
    return clients


async def compare(server, postgres, tokens):
    """What is pinned without streams and with them; all must still get what happens."""
    for client in await opened(server, tokens, WARMING):
        client.drop()
    before = await asyncio.to_thread(quiet, server, postgres)
    clients = await opened(server, tokens, STREAMS)
    during = await asyncio.to_thread(quiet, server, postgres)
    code = f"import realtime; realtime.trigger('{LINE}', 'note', 1)"
    await asyncio.to_thread(server.shell, code)
    await asyncio.to_thread(wait_until, lambda: all(c.events for c in clients), "the event")
    for client in clients:
        client.drop()
    return before, during


def quiet(server, postgres):
    """What is pinned once no query is running: the worker's own checks take moments."""
    wait_until(lambda: pinned(server, postgres)[2] == 0, "all connections to be idle")
    return pinned(server, postgres)


def test_a_thousand_streams_pin_no_thread_and_no_connection(make_server, postgres):
    server = make_server(postgres=postgres)
    tokens = crowd(server, USERS)
    before, during = asyncio.run(compare(server, postgres, tokens))
    threads, connections, _ = (b - a for a, b in zip(before, during, strict=True))
    record(
        "Idle streams",
        how=f"{STREAMS:,} streams on one worker with PostgreSQL; threads by /proc, connections by"
        f" pg_stat_activity, against none open ({before[0]} threads, {before[1]} connections)",
        count=STREAMS,
        worst=f"{threads} threads and {connections} connections more",
        goal="0 database connections or threads pinned",
        command='make torture ARGS="-k idle"',
    )
    assert threads <= 0
    assert connections <= 0
