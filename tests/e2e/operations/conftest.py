"""A real server of two workers, PostgreSQL and Redis, each of which may be away."""

import json
import time
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.servers import DEADLINE, on_postgres, wait_until
from tests.services import TcpProxy
from tests.streams import Stream
from tests.websockets import ENVIRON

TOKEN = "a-token-of-these-tests"
PROMPT = 3.0
"""Seconds within which health is answered, whatever is away. It takes a millisecond; the machine
may be busy."""


@pytest.fixture(scope="package")
def redis(make_redis):
    return make_redis()


@pytest.fixture(scope="package")
def network(postgres):
    """What lies between the server and its database."""
    proxy = TcpProxy(postgres.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="package")
def server(make_shared_server, postgres, network, redis, tmp_path_factory):
    name = on_postgres(postgres, tmp_path_factory).rpartition("/")[2]
    server = make_shared_server(
        DATABASE_URL=postgres.url(name, network.port),
        REDIS_URL=redis.url,
        METRICS_TOKEN=TOKEN,
        LOG_FORMAT="json",
        REALTIME_KEEP_ALIVE="1",
        WEB_CONCURRENCY="2",
        **ENVIRON,
    )
    server.shell(
        "from django.contrib.auth.models import User\n"
        "User.objects.create_superuser('root', password='realtime')\n"
    )
    yield server
    # While its database is still there.
    server.stop()


@pytest.fixture
def streams(server):
    """Opens streams of somebody, until every worker holds one."""
    with ExitStack() as stack:

        def open_all(username, channel="private-todo-list.1"):
            opened, holders = [], set()

            def all_hold():
                stream = Stream(server.url, [channel], token=server.token(username)).opened()
                opened.append(stack.enter_context(closing(stream)))
                holders.add(holder(server, stream))
                return holders == set(server.workers)

            wait_until(all_hold, "every worker to hold a stream")
            return opened

        yield open_all


def holder(server, stream):
    connection = stream.response.extensions["network_stream"].get_extra_info("socket")
    return server.holders([connection.getsockname()[1]])[0]


def lines(server):
    """The log's lines; what is no JSON fails."""
    return [json.loads(line) for line in server.log.splitlines()]


# A new connection each time, as probes make them: either worker may have it.
outsider = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=DEADLINE)


def health(server, **headers):
    """Status, and which parts fail."""
    began = time.monotonic()
    answer = outsider.get(f"{server.url}/healthz", headers=headers)
    assert time.monotonic() - began < PROMPT
    checks = answer.json()["checks"]
    return answer.status_code, {part for part in checks if checks[part]["status"] != "ok"}


def well(server):
    """Both workers are asked: new connections go to either."""
    wait_until(lambda: all(health(server) == (200, set()) for _ in range(6)), "all to be well")
