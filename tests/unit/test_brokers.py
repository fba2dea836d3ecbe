"""The contract of brokers: one suite for all of them."""

import asyncio
import threading
import uuid
from contextlib import AsyncExitStack, asynccontextmanager, closing

import pytest

from realtime import brokers
from realtime.brokers.remote import _Link
from realtime.events import Batch, Event, EventId
from tests.ports import DEADLINE, wait_until
from tests.services import TcpProxy

EVENT = Event("a", "x.updated", '{"id":1}', ("f",), "m", EventId(1, "abcdefgh"))
BATCH = Batch((EVENT,), EventId(0, "zyxwvuts"))
OTHER = Batch((Event("b", "typing", '"ü"'),))
LOOK = Batch()


def run(main):
    async def bounded():
        async with asyncio.timeout(DEADLINE):
            await main()

    asyncio.run(bounded())


def service_of(request):
    """The service that a broker needs, and a function that makes its URL for a port."""
    if request.param == "redis":
        return request.getfixturevalue("redis_server"), "redis://127.0.0.1:{}/0".format
    service = request.getfixturevalue("postgres")
    return service, lambda port: service.url(port=port)


@pytest.fixture
def topic():
    return f"test:{uuid.uuid4().hex}"


@pytest.fixture(params=["memory", "redis", "postgres"])
def broker(request, topic):
    if request.param == "memory":
        return brokers.connect("", topic)
    service, url = service_of(request)
    return brokers.connect(url(service.port), topic)


@pytest.fixture(params=["redis", "postgres"])
def remote(request, topic):
    """Two brokers that hear each other, the first through a proxy, and the proxy."""
    service, url = service_of(request)
    proxy = TcpProxy(service.port)
    yield *(brokers.connect(url(port), topic) for port in (proxy.port, service.port)), proxy
    proxy.close()


@asynccontextmanager
async def listening(*some):
    """Listens to brokers, from when they hear other processes on."""
    async with AsyncExitStack() as stack:
        found = []
        for broker in some:
            batches = await stack.enter_async_context(broker.listen())
            if type(broker) is not brokers.MemoryBroker:
                assert await anext(batches) == LOOK
            found.append(batches)
        yield found


async def until(batches, wanted):
    """All batches up to the wanted one."""
    found = [await anext(batches)]
    while found[-1] != wanted:
        found.append(await anext(batches))
    return found


def test_every_listener_gets_every_message_once_and_in_order(broker):
    async def main():
        async with listening(broker, broker) as listeners:
            broker.publish(BATCH)
            broker.publish(OTHER)
            for batches in listeners:
                assert await anext(batches) == BATCH
                assert await anext(batches) == OTHER

    run(main)


def test_messages_from_other_threads_arrive(broker):
    async def main():
        async with listening(broker) as (batches,):
            thread = threading.Thread(target=broker.publish, args=(BATCH,))
            thread.start()
            assert await anext(batches) == BATCH
            thread.join()

    run(main)


def test_what_was_published_before_listening_is_not_heard(broker):
    async def main():
        broker.publish(BATCH)
        async with listening(broker) as (batches,):
            broker.publish(OTHER)
            assert await anext(batches) == OTHER

    run(main)


def test_publishing_to_nobody_is_no_error(broker):
    broker.publish(BATCH)


def test_a_listener_that_has_left_hears_nothing_and_disturbs_nobody(broker):
    async def main():
        async with broker.listen():
            pass
        async with listening(broker) as (batches,):
            broker.publish(BATCH)
            assert await anext(batches) == BATCH

    run(main)


def test_a_loop_that_is_gone_disturbs_nobody():
    broker = brokers.MemoryBroker()
    listening = broker.listen()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(listening.__aenter__())
    loop.close()
    broker.publish(BATCH)
    assert asyncio.run(listening.__aexit__(None, None, None)) is not True


def test_other_processes_hear_it_once_and_the_sender_does_not_hear_itself(remote):
    one, other, _ = remote

    async def main():
        async with listening(one, other) as (at_one, at_other):
            one.publish(BATCH)
            other.publish(OTHER)
            for batches in (at_one, at_other):
                both = [await anext(batches), await anext(batches)]
                assert both in ([BATCH, OTHER], [OTHER, BATCH])
            one.publish(LOOK)
            assert await anext(at_one) == LOOK
            assert await anext(at_other) == LOOK

    run(main)


def test_other_topics_are_not_heard(redis_server, postgres):
    for url in (redis_server.url, postgres.url()):
        one, other = brokers.connect(url, "test:one"), brokers.connect(url, "test:other")

        async def main(one=one, other=other):
            async with listening(one, other) as (at_one, at_other):
                one.publish(BATCH)
                other.publish(OTHER)
                assert await anext(at_one) == BATCH
                assert await anext(at_other) == OTHER
                one.publish(LOOK)
                assert await anext(at_one) == LOOK

        run(main)


def test_a_large_batch_arrives_in_parts_that_follow_each_other_or_is_to_be_read(remote):
    one, other, _ = remote
    many = [Event("a", "x", f'"{"y" * 500}"', id=EventId(n, "abcdefgh")) for n in range(1, 1000)]
    huge = Event("a", "x", f'"{"y" * 300_000}"', id=EventId(1000, "abcdefgh"))

    async def main():
        async with listening(other) as (batches,):
            one.publish(Batch(tuple(many), EventId(0, "zyxwvuts")))
            position = EventId(0, "zyxwvuts")
            while position.seq < 999:
                batch = await anext(batches)
                assert batch.after == position
                position = batch.events[-1].id
            one.publish(Batch((huge,), position))
            assert await anext(batches) == LOOK

    run(main)


def test_what_is_too_large_for_a_message_does_not_keep_back_what_follows(remote):
    one, other, _ = remote
    huge = Batch((Event("a", "typing", f'"{"y" * 300_000}"'),))

    async def main():
        async with listening(other) as (batches,):
            one.publish(huge)
            one.publish(OTHER)
            assert await anext(batches) == OTHER

    run(main)


@pytest.mark.parametrize("fault", ["cut", "refuse", "hold"])
def test_a_listener_that_was_cut_off_says_that_something_may_be_missing(remote, fault):
    broken, whole, proxy = remote

    async def main():
        async with listening(broken) as (batches,):
            connections = proxy.accepted
            getattr(proxy, fault)()
            # When nothing breaks, only the silence tells.
            await asyncio.to_thread(
                wait_until, lambda: proxy.accepted > connections, "another connection"
            )
            proxy.accept()
            proxy.release()
            await until(batches, LOOK)
            whole.publish(BATCH)
            await until(batches, BATCH)

    run(main)


@pytest.mark.parametrize("fault", ["cut", "refuse", "hold"])
def test_what_cannot_be_sent_is_dropped_and_keeps_nobody_waiting(remote, fault):
    broken, whole, proxy = remote
    last = Batch((Event("a", "last", "1"),))

    async def main():
        async with listening(whole, broken) as (batches, own):
            broken.publish(BATCH)
            await until(batches, BATCH)
            getattr(proxy, fault)()
            for _ in range(5000):
                broken.publish(OTHER)
            broken.publish(last)
            await until(own, last)
            await asyncio.to_thread(wait_until, lambda: proxy.accepted >= 4, "both to reconnect")
            proxy.accept()
            proxy.release()
            heard = asyncio.create_task(until(batches, BATCH))
            while not heard.done():
                broken.publish(BATCH)
                await asyncio.wait([heard], timeout=0.05)

    run(main)


@pytest.mark.parametrize(
    "garbage", [b"", b"\xff\xfe", b"x", b"x {}", b"x [null, [[]]]", b"x " * 999]
)
def test_garbage_is_an_occasion_to_look_into_the_log(redis_server, garbage):
    broker = brokers.connect(redis_server.url, "test:garbage")

    async def main():
        with closing(redis_server.connect()) as client:
            async with listening(broker) as (batches,):
                client.publish("test:garbage", garbage)
                assert await anext(batches) == LOOK

    run(main)


def test_it_says_what_it_is_without_the_password():
    for url in ("redis://u:secret@example.org/0", "postgres://u:secret@example.org/n", ""):
        description = brokers.connect(url, "t").describe()
        assert description
        assert "secret" not in description


def test_attempts_go_on_for_ever():
    link = _Link("listen to")
    for _ in range(2000):
        link.is_down(OSError("away"))
        assert 0 < link.pause() <= 1.0
