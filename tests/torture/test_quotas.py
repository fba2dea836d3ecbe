"""So many streams a user may have on all workers of all servers together: never one more, and never
one less, whatever happens to the workers and to the database."""

import asyncio
import os
import signal
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from tests.servers import cluster, wait_until
from tests.torture.clients import LINE, Client, crowd
from tests.torture.faults import Points, booted, pair, thaw
from tests.torture.load import OrmWriter, ms
from tests.torture.report import record

LIMIT = 20
USERS = 4
ROUNDS = 10
PAUSE = 2.0
"""Seconds after which PostgreSQL ends the transaction of a process that stands still."""
SLIPS = 8
"""Openings that may be under way when a database goes: of four workers, two each here."""
LEASE = 3.0
"""Seconds for which a worker that says nothing is counted."""
COMMAND = 'make torture ARGS="-k test_quotas"'
QUICK = "tests/integration/test_quotas.py"
ENVIRON = {"REALTIME_MAX_STREAMS_PER_USER": str(LIMIT), "REALTIME_KEEP_ALIVE": "1"}


class User:
    """Somebody who opens streams, on all servers in turn."""

    def __init__(self, servers, token):
        self._ports = [server.port for server in servers]
        self.token = token
        self.streams = []
        self.times = []

    async def attempt(self, count):
        """Opens as many streams at once; how each was answered."""
        new = [Client(self._ports[n % len(self._ports)], [LINE], self.token) for n in range(count)]
        await asyncio.gather(*map(self._open, new))
        self.streams += [client for client in new if client.opened_at and not client.lost_at]
        return Counter(client.status for client in new)

    async def _open(self, client):
        begun = time.monotonic()
        await client.open()
        while not (client.opened_at or client.status > 200 or client.lost_at):
            assert time.monotonic() < begun + 30, "no answer"
            await asyncio.sleep(0.005)
        self.times.append(time.monotonic() - begun)
        if client.status != 200:
            client.drop()

    def drop(self, count):
        """Leaves some streams."""
        left, self.streams = self.streams[:count], self.streams[count:]
        for client in left:
            client.drop()

    def forget_lost(self):
        """How many streams were lost."""
        lost = [client for client in self.streams if client.lost_at]
        self.streams = [client for client in self.streams if not client.lost_at]
        return len(lost)


def counted(servers):
    """The rows of streams that workers hold who live."""
    pids = [pid for server in servers for pid in server.workers]
    return servers[0].query(
        "SELECT count(*) FROM realtime_stream JOIN realtime_worker w ON w.id = worker_id"
        f" WHERE NOT w.lost AND w.pid IN ({', '.join(map(str, pids))})"
    )[0][0]


async def settled(servers, count):
    """Waits until as many streams are counted."""
    await asyncio.to_thread(wait_until, lambda: counted(servers) == count, f"{count} to be counted")


def lost(server, pid):
    """Whether others have noticed that a worker says nothing."""
    return server.query(f"SELECT 1 FROM realtime_worker WHERE lost AND pid = {pid}")


def people_of(servers, count=1):
    """As many users."""
    return [User(servers, token) for token in crowd(servers[0], count)]


def run(play, *people):
    """Has users play something, and leave everything in the end."""

    async def main():
        try:
            return await play(*people)
        finally:
            for user in people:
                user.drop(len(user.streams))
            await asyncio.sleep(0.1)

    return asyncio.run(main())


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def backend(request):
    postgres = request.getfixturevalue("postgres") if request.param == "PostgreSQL" else None
    return request.param, postgres


def test_at_once_on_all_workers_exactly_as_many_open_as_allowed(make_server, backend):
    name, postgres = backend
    servers = cluster(make_server, postgres, **ENVIRON)
    answers, wrong, times = Counter(), [], []

    async def play(*people):
        for _ in range(ROUNDS):
            found = await asyncio.gather(*(user.attempt(3 * LIMIT) for user in people))
            wrong.extend(f for f in found if f != {200: LIMIT, 429: 2 * LIMIT})
            for one in found:
                answers.update(one)
            await settled(servers, USERS * LIMIT)
            # Of those who leave a few, exactly as many may come back.
            for user in people:
                user.drop(7)
            await settled(servers, USERS * (LIMIT - 7))
            found = await asyncio.gather(*(user.attempt(10) for user in people))
            wrong.extend(f for f in found if f != {200: 7, 429: 3})
            for user in people:
                user.drop(LIMIT)
            await settled(servers, 0)
        times.extend(t for user in people for t in user.times)

    run(play, *people_of(servers, USERS))
    for server in servers:
        server.stop()
    record(
        f"Too many streams ({name})",
        table="abuse",
        how=f"{USERS} users open {3 * LIMIT} streams each at the same moment on two servers of two"
        f" workers, where {LIMIT} are allowed; leave 7, and open 10",
        count=len(times),
        worst=f"{len(wrong)} of {2 * ROUNDS * USERS} times another number than allowed opened;"
        f" slowest answer {ms(max(times))}",
        goal="429, counted across workers",
        command=COMMAND,
        quick=QUICK,
    )
    assert not wrong, wrong


def test_a_dead_worker_s_streams_count_no_more_and_a_frozen_one_s_again(make_server, backend):
    name, postgres = backend
    servers = cluster(make_server, postgres, **ENVIRON)
    kills, wrong = 0, []

    def held_by_one(user):
        """A worker of the first server, and how many streams it holds."""
        pid = servers[0].workers[0]
        here = [client.port for client in user.streams if client.server == servers[0].port]
        return pid, servers[0].holders(here).count(pid)

    async def killed(user):
        """All that a worker had may come back at once, and no more."""
        before = booted(servers[0])
        pid, held = held_by_one(user)
        os.kill(pid, signal.SIGKILL)
        while sum(bool(c.lost_at) for c in user.streams) < held:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.005)
        lost = user.forget_lost()
        answers = await user.attempt(lost + 5)
        if (answers[200], answers[429]) != (lost, 5):
            wrong.append(("killed", lost, answers))
        await asyncio.to_thread(wait_until, lambda: booted(servers[0]) > before, "a new worker")

    async def frozen(user):
        """While it stands still, others may open what it has; once it goes on, it counts."""
        pid, held = held_by_one(user)
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.to_thread(wait_until, lambda: lost(servers[0], pid), "it to be missed")
            others = User(servers[1:], user.token)
            answers = await others.attempt(held + 5)
        finally:
            thaw(pid)
        if (answers[200], answers[429]) != (held, 5):
            wrong.append(("frozen", held, answers))
        await settled(servers, LIMIT + held)
        others.drop(held)
        await settled(servers, LIMIT)
        if (answers := await user.attempt(5)) != {429: 5}:
            wrong.append(("thawed", answers))

    async def play(user):
        nonlocal kills
        await user.attempt(LIMIT)
        for _ in range(ROUNDS):
            await killed(user)
            kills += 1
            if len(user.streams) != LIMIT:
                await user.attempt(LIMIT - len(user.streams))
        await settled(servers, LIMIT)
        for _ in range(2):
            await frozen(user)

    run(play, *people_of(servers))
    for server in servers:
        server.stop()
    record(
        f"Too many streams while workers die ({name})",
        table="abuse",
        how="kill -9 of a worker, and its clients come back at once with five more; SIGSTOP of one"
        " for 4 s, and others open what it has",
        count=f"{kills} kills, 2 freezes",
        worst=f"{len(wrong)} times another number than allowed opened",
        goal="429, counted across workers; nobody refused because of the dead",
        command=COMMAND,
        quick=QUICK,
    )
    assert not wrong, wrong


def test_a_worker_that_stands_still_while_it_counts_keeps_nobody_out(
    make_server, postgres, tmp_path
):
    victim, witness = pair(make_server, postgres, dict(ENVIRON), tmp_path)
    points = Points(tmp_path)

    async def play(user, other):
        await user.attempt(LIMIT - 5)
        await settled([victim, witness], LIMIT - 5)
        points.arm("quotas.counting", signal.SIGSTOP)
        hanging = await Client(victim.port, [LINE], other.token).open()
        pid, _ = await asyncio.to_thread(wait_until, points.fallen, "a process to stand still")
        try:
            other.times.clear()
            opened = await other.attempt(2 * LIMIT)
            slowest = max(other.times)
            await asyncio.sleep(LEASE + 1)
            again = await other.attempt(5)
        finally:
            thaw(pid)
            hanging.drop()
        return opened, slowest, again

    opened, slowest, again = run(play, *people_of([witness], 2))
    victim.stop()
    witness.stop()
    record(
        "Too many streams while somebody is frozen in the middle of counting",
        table="abuse",
        how=f"SIGSTOP of a worker that holds a user's lock; {2 * LIMIT} streams of that user are"
        " opened on another server of two workers, and five more when PostgreSQL has ended the"
        " transaction",
        count=2 * LIMIT + 5,
        worst=f"{opened[200]} opened where {LIMIT} are allowed, the slowest in {ms(slowest)}; of"
        f" the five after that, {again[200]}",
        goal="nobody waits for it; at most what each worker allows by itself, then 429",
        command=COMMAND,
    )
    assert LIMIT <= opened[200] <= 2 * LIMIT
    assert set(opened) <= {200, 429}
    assert slowest <= PAUSE + 1
    assert again == {429: 5}


def test_a_restart_of_postgresql_forgets_nobody(make_server, fresh_postgres):
    servers = cluster(make_server, fresh_postgres, **ENVIRON)
    slipped, wrong = 0, []

    async def play(user):
        nonlocal slipped
        await user.attempt(LIMIT)
        await settled(servers, LIMIT)
        for away in (0, 0, 2 * LEASE):
            await asyncio.to_thread(fresh_postgres.crash)
            await asyncio.sleep(away)
            await asyncio.to_thread(fresh_postgres.start)
            answers = Counter()
            end = time.monotonic() + 2 * LEASE
            while time.monotonic() < end:
                answers.update(await user.attempt(2))
                await asyncio.sleep(0.1)
            slipped += answers[200]
            if not answers[429]:
                wrong.append((away, answers))
            user.drop(len(user.streams) - LIMIT + 3)
            await settled(servers, LIMIT - 3)
            if (answers := await user.attempt(6)) != {200: 3, 429: 3}:
                wrong.append((away, answers))

    run(play, *people_of(servers))
    for server in servers:
        server.stop()
    record(
        "Too many streams while PostgreSQL restarts",
        table="abuse",
        how=f"immediate stop, back at once and after {2 * LEASE:g} s; a user who has all streams"
        " that are allowed tries for more all the time, on two servers of two workers",
        count="3 restarts",
        worst=f"{slipped} slipped in when PostgreSQL went away between reading and counting, and"
        f" were counted afterwards; then {len(wrong)} times another number than allowed opened",
        goal="429, counted across workers, once PostgreSQL is back",
        command=COMMAND,
    )
    assert not wrong, wrong
    assert slipped <= SLIPS * 3


def test_under_a_heavy_load_of_writes_streams_open_on_sqlite(make_server):
    servers = cluster(make_server, **ENVIRON)
    with ExitStack() as stack:
        people = people_of(servers, 10)
        writers = [OrmWriter(servers[0], 1, pause=0).start() for _ in range(3)]
        for writer in writers:
            stack.callback(writer.stop)
        wait_until(lambda: all(len(w.writes) > 20 for w in writers), "writes")

        async def play(*people):
            answers = Counter()
            for user in people:
                answers.update(await user.attempt(LIMIT))
            await settled(servers, len(people) * LIMIT)
            for user in people:
                answers.update(await user.attempt(5))
            return answers

        answers = run(play, *people)
    writes = sum(len(writer.writes) for writer in writers)
    late = sum("can't be counted yet" in line for s in servers for line in s.log.splitlines())
    slowest = max(t for user in people for t in user.times)
    for server in servers:
        server.stop()
    record(
        "Too many streams under writes (SQLite)",
        table="abuse",
        how="three processes write without a pause; ten users open as many streams as are allowed,"
        " and then five more each",
        count=f"{sum(answers.values())} openings, {writes} writes",
        worst=f"{answers[200]} opened, {answers[429]} refused, {len(answers) - 2} failed; slowest"
        f" {ms(slowest)}; {late} counted after they were open",
        goal="an opening neither fails nor takes long; then 429",
        command=COMMAND,
    )
    assert answers == {200: 10 * LIMIT, 429: 50}
    assert slowest <= 2
