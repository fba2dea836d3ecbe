"""Whatever ends a right ends the streams that rest on it, on every worker, within five seconds."""

import asyncio
import time
from contextlib import closing

import pytest

from tests.rights import WAYS, Scene
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


async def all_gone(clients, patience=30):
    """When the last of the streams has ended."""
    end = time.monotonic() + patience
    while not all(client.lost_at for client in clients) and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return max(client.lost_at or float("inf") for client in clients)


def test_one_of_thousands_who_share_a_list_loses_it(make_server, postgres):
    """Then the rights of all others are asked again too, and those of a second list's must not
    wait for that."""
    server = make_server(postgres)
    tokens = crowd(server, CROWD)

    async def play(api):
        clients = [Client(server.port, [LINE], token) for token in tokens]
        for start in range(0, CROWD, 200):
            part = clients[start : start + 200]
            await asyncio.gather(*(client.open() for client in part))
            await all_opened(part, 60)
        removed, disabled = clients[:5], clients[-5:]
        delays = []
        for n, client in enumerate(removed):
            begun = time.monotonic()
            url = f"/api/todo-lists/1/members/user{n}/"
            assert (await asyncio.to_thread(api.delete, url)).status_code == 204
            delays.append(await all_gone([client]) - begun)
        begun = time.monotonic()
        code = "from django.contrib.auth.models import User\nimport time\n"
        names = [f"user{CROWD - 1 - n}" for n in range(5)]
        code += f"User.objects.filter(username__in={names}).update(is_active=False)\n"
        code += "print(time.monotonic())"
        printed = await asyncio.to_thread(server.shell, code)
        begun = float(printed.split()[-1])
        delays.append(await all_gone(disabled) - begun)
        left = [c for c in clients if c not in removed + disabled and c.lost_at]
        for client in clients:
            client.drop()
        return delays, left

    with server.client() as api:
        delays, left = asyncio.run(play(api))
    record(
        "A right ends (thousands share the list)",
        table="abuse",
        how=f"{CROWD:,} users with a stream each on one worker with PostgreSQL; five are removed"
        " from the list one after the other, then five others disabled at once",
        count="10 rights",
        worst=f"all ended within {ms(max(delays))}; {len(left)} others ended too",
        goal="nothing later than 5 s",
        command=COMMAND,
    )
    server.stop()
    assert not left
    assert max(delays) <= GOAL
