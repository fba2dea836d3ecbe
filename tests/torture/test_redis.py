"""Redis fails in every way while two servers write and deliver: nobody may notice."""

import threading
import time
from contextlib import closing, contextmanager, suppress

import pytest
import redis

from tests.servers import wait_until
from tests.torture.faults import garbage, listeners
from tests.torture.load import Load, ms
from tests.torture.report import record

WORKERS = 2
"""In all: two servers with one each."""
CALM = 8.0
"""Seconds of load without a fault, before each fault, to compare with."""
WRITE_GOAL = 0.010
DELIVERY_GOAL = 1.0
HEALING_GOAL = 2.0
WITHOUT_BROKER = 0.15
"""Of what comes through the log alone, every third event takes longer than this."""
COMMAND = 'make torture ARGS="-k test_redis"'


@contextmanager
def killed(service, channel):
    service.kill()
    yield
    service.start()


@contextmanager
def killed_again_and_again(service, channel):
    def kill():
        service.kill()
        wait(0.5)
        service.start()

    with repeated(kill, 1.5):
        yield


@contextmanager
def frozen(service, channel):
    service.freeze()
    yield
    service.thaw()


@contextmanager
def repeated(act, pause):
    """Does something again and again, beside what is within."""
    stopping = threading.Event()

    def run():
        while not stopping.wait(pause):
            with suppress(redis.RedisError):
                act()

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stopping.set()
    thread.join()


@contextmanager
def flushed(service, channel):
    with closing(service.connect()) as client, repeated(client.flushall, 0.05):
        yield


@contextmanager
def cut(service, channel):
    def kill_all():
        for kind in ("normal", "pubsub"):
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")

    with closing(service.connect()) as client, repeated(kill_all, 0.1):
        yield


@contextmanager
def disturbed(service, channel):
    def publish_all():
        for topic in client.pubsub_channels():
            for message in garbage(channel):
                client.publish(topic, message)

    with closing(service.connect()) as client, repeated(publish_all, 0.05):
        yield


FAULTS = {
    # So often that a percentile of the writes meanwhile means something.
    "killed for 0.5 s every 2 s": (killed_again_and_again, 20.0),
    "killed for 20 s": (killed, 20.0),
    "frozen (SIGSTOP) for 10 s": (frozen, 10.0),
    "FLUSHALL every 50 ms": (flushed, 8.0),
    "CLIENT KILL of all every 100 ms": (cut, 8.0),
    "garbage of many kinds every 50 ms": (disturbed, 8.0),
}


@pytest.fixture
def load(make_server, postgres, fresh_redis):
    """Two servers, each written to and read from all the time."""
    environ = {"REDIS_URL": fresh_redis.url, "REALTIME_KEEP_ALIVE": "1"}
    first = make_server(postgres, **environ)
    second = make_server(**environ, DATABASE_URL=first.environ["DATABASE_URL"])
    wait_until(lambda: listeners(fresh_redis) == WORKERS, "all workers to listen")
    load = Load.on(first, write=[first, second], read=[first, second])
    yield load
    for server in (first, second):
        server.stop()


def wait(seconds):
    """Lets the load run."""
    threading.Event().wait(seconds)


@pytest.mark.parametrize("fault", FAULTS)
def test_nobody_notices_what_happens_to_redis(fault, load, fresh_redis):
    break_, seconds = FAULTS[fault]
    wait(2)
    calm = time.monotonic()
    wait(CALM)
    broken = time.monotonic()
    with break_(fresh_redis, f"private-todo-list.{load.todo_list}"):
        wait(seconds)
    returned = time.monotonic()
    wait_until(lambda: listeners(fresh_redis) >= WORKERS, "all workers to listen again")
    healed = time.monotonic() - returned
    wait(HEALING_GOAL + 3)
    end = time.monotonic()
    load.stop()
    before, during = load.figures(calm, broken), load.figures(broken, end)
    after = load.figures(returned + HEALING_GOAL, end)
    slower = during.write_p99 - before.write_p99
    record(
        f"Redis {fault}",
        how=f"two servers on PostgreSQL, writers and streams on both; in calm: {before}",
        count=f"{during.writes} writes",
        worst=f"{during.failed} failed; write p99 {ms(during.write_p99)} ({slower * 1000:+.0f} ms);"
        f" delivery p99 {ms(during.delay_p99)}, at most {ms(during.delay_max)};"
        f" heard again after {ms(healed)}",
        goal="0 failed; write p99 + ≤ 10 ms; delivery ≤ 1 s; healed ≤ 2 s",
        command=COMMAND,
    )
    load.check()
    assert during.failed == 0
    assert slower <= WRITE_GOAL
    assert during.delay_max <= DELIVERY_GOAL
    assert healed <= HEALING_GOAL
    assert after.delay_p99 < WITHOUT_BROKER
