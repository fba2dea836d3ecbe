"""The contract of brokers: one suite for all of them."""

import asyncio
import threading

import pytest

from realtime.brokers import MemoryBroker
from realtime.events import Event, EventId

EVENT = Event("a", "x.updated", '{"id":1}', ("f",), "m", EventId(1, "abcdefgh"))
OTHER = Event("b", "typing", "2")


@pytest.fixture(params=[MemoryBroker])
def broker(request):
    return request.param()


def test_every_listener_gets_every_message_in_order(broker):
    async def main():
        async with broker.listen() as one, broker.listen() as other:
            broker.publish([EVENT, OTHER])
            broker.publish([OTHER])
            for messages in (one, other):
                assert await anext(messages) == [EVENT, OTHER]
                assert await anext(messages) == [OTHER]

    asyncio.run(main())


def test_messages_from_other_threads_arrive(broker):
    async def main():
        async with broker.listen() as messages:
            thread = threading.Thread(target=broker.publish, args=([EVENT],))
            thread.start()
            assert await anext(messages) == [EVENT]
            thread.join()

    asyncio.run(main())


def test_what_was_published_before_listening_is_not_heard(broker):
    async def main():
        broker.publish([EVENT])
        async with broker.listen() as messages:
            broker.publish([OTHER])
            assert await anext(messages) == [OTHER]

    asyncio.run(main())


def test_publishing_to_nobody_is_no_error(broker):
    broker.publish([EVENT])


def test_a_listener_that_has_left_hears_nothing_and_disturbs_nobody(broker):
    async def main():
        async with broker.listen():
            pass
        async with broker.listen() as messages:
            broker.publish([EVENT])
            assert await anext(messages) == [EVENT]

    asyncio.run(main())


def test_a_loop_that_is_gone_disturbs_nobody(broker):
    listening = broker.listen()
    loop = asyncio.new_event_loop()
    loop.run_until_complete(listening.__aenter__())
    loop.close()
    broker.publish([EVENT])
    assert asyncio.run(listening.__aexit__(None, None, None)) is not True
