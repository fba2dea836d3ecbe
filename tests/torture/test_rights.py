"""Whatever ends a right ends the streams that rest on it, on every worker, within five seconds."""

import asyncio
import time
from contextlib import closing

import pytest

from tests.rights import WAYS, Console, Scene, error_of
from tests.servers import cluster
from tests.torture.clients import LINE, Client, all_opened, crowd
from tests.torture.faults import BACKENDS, environ_of
from tests.torture.load import ms
from tests.torture.report import record

ROUNDS = 3
CROWD = 2000
GOAL = 5.0
COMMAND = 'make torture ARGS="-k test_rights"'
QUICK = "tests/e2e/test_rights.py"


@pytest.fixture(params=BACKENDS)
def servers(request, make_server):
    """Two servers of two workers each, and what their backend is called."""
    postgres, environ = environ_of(request.param, request)
    found = cluster(make_server, postgres, **environ)
    yield BACKENDS[request.param], found
    for server in found:
        server.stop()


def test_whatever_ends_a_right_ends_its_streams_everywhere(servers):
    backend, servers = servers
    faults, delays = [], {}
    with closing(Scene(servers)) as scene:
        for _ in range(ROUNDS):
            scene.play()
            faults += scene.faults()
            for victim in scene.victims:
                delays.setdefault(victim.way, []).extend(victim.delays)
    slowest = max(delays, key=lambda way: max(delays[way]))
    streams = sum(map(len, delays.values()))
    record(
        f"A right ends ({backend})",
        table="abuse",
        how=f"{len(WAYS)} ways, from a membership removed to a user deleted; streams by token,"
        " session, password and ticket on every worker of two servers with two each; somebody"
        " writes to the list all the time",
        count=f"{ROUNDS * len(WAYS)} rights, {streams} streams",
        worst=f"{len(faults)} heard anything after the error or may come back; all ended within"
        f" {ms(max(delays[slowest]))} ({slowest})",
        goal="nothing later than 5 s, on every worker",
        command=COMMAND,
        quick=QUICK,
    )
    assert not faults
    assert max(map(max, delays.values())) <= GOAL


async def told(clients):
    """When the last of these streams has said that its right has ended, or never. The connection
    itself may be kept for another request."""
    end = time.monotonic() + 30
    while not all(client.lost_at for client in clients) and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return max(error_of(client) for client in clients)


REMOVE = """
import realtime, time
from django.db import transaction
answer = time.monotonic()
with transaction.atomic():
    Membership.objects.filter(todo_list=1, user__username=name)._raw_delete("default")
    realtime.recheck(channel)
"""
DISABLE = """
import time
answer = time.monotonic()
User.objects.filter(username__in=names).update(is_active=False)
"""


async def end_some(tokens, server, console):
    """Five lose their right one after the other, others all at once: how long it takes, and which
    others have lost theirs too."""
    clients = [Client(server.port, [LINE], token) for token in tokens]
    for start in range(0, CROWD, 200):
        part = clients[start : start + 200]
        await asyncio.gather(*(client.open() for client in part))
        await all_opened(part, 60)
    delays = []
    for n, client in enumerate(clients[:5]):
        begun = await asyncio.to_thread(console.run, REMOVE, name=f"user{n}", channel=LINE)
        delays.append(await told([client]) - begun)
    names = [f"user{n}" for n in range(CROWD // 2, CROWD)]
    begun = await asyncio.to_thread(console.run, DISABLE, names=names)
    delays.append(await told(clients[CROWD // 2 :]) - begun)
    left = [client for client in clients[5 : CROWD // 2] if client.lost_at]
    for client in clients:
        client.drop()
    return delays, left


def test_rights_end_in_time_among_thousands(make_server, postgres):
    server = make_server(postgres)
    tokens = crowd(server, CROWD)
    with closing(Console(server)) as console:
        delays, left = asyncio.run(end_some(tokens, server, console))
    server.stop()
    record(
        "A right ends (among thousands)",
        table="abuse",
        how=f"{CROWD:,} users with a stream each of the same list on one worker with PostgreSQL;"
        " five times all are asked again because one has lost it; then half of them are disabled",
        count=f"{5 + CROWD // 2:,} rights",
        worst=f"one of {CROWD:,}: {ms(max(delays[:-1]))}; {CROWD // 2:,} at once:"
        f" {ms(delays[-1])}; {len(left)} others ended too",
        goal="nothing later than 5 s",
        command=COMMAND,
    )
    assert not left
    assert max(delays) <= GOAL
