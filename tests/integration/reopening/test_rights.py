"""Nothing is answered from memory where a right may have ended."""

import asyncio
import threading

import pytest

from realtime import sequencer
from realtime.eventstream import EventStream
from realtime.rights import guard, revocation
from realtime.rights.grants import Grant
from realtime.subscriber import Subscription
from tests.integration.reopening.site import in_thread, running, until
from tests.ports import DEADLINE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("end", [
    lambda watch, one: watch.expel(one),
    lambda watch, one: watch._forbid(one, *one.grants, frozenset(one.channels)),
], ids=["expelled", "forbidden"])  # fmt: skip
def test_an_open_stream_that_loses_its_right_leaves_nothing_to_remember(channel, token, end):
    async def main():
        async with running(channel, token) as site:
            worker = site.application._worker
            first = asyncio.ensure_future(site.visit(until=b"event: stream-error"))
            await until(lambda: len(site.memory))
            end(worker.guard, *worker.hub)
            assert not len(site.memory)
            await first

    asyncio.run(main())


def test_a_right_that_ends_while_nobody_listens_has_ended(channel, token, groceries, monkeypatch):
    monkeypatch.setattr(guard, "GROUNDS_INTERVAL", 3600)

    async def main():
        async with running(channel, token) as site:
            _, position = await site.visit()
            await in_thread(revocation.recheck, channel)
            await until(lambda: not len(site.memory))
            await in_thread(groceries.delete)
            answer, _ = await site.visit(position)
            assert answer["status"] == 403

    asyncio.run(main())


def test_a_right_that_has_ended_gives_no_more_although_its_end_is_still_on_its_way(
    channel, token, groceries, monkeypatch
):
    async def main():
        async with running(channel, token) as site:
            _, position = await site.visit()
            # Nobody tells this worker: it has to find out by itself.
            monkeypatch.setattr(sequencer.broker(), "publish", lambda batch: None)
            await in_thread(groceries.delete)
            answer, _ = await site.visit(position)
            assert answer["status"] == 403

    asyncio.run(main())


@pytest.fixture
def undecided(monkeypatch):
    """Whether rights have been lost is not answered until this event is set."""
    answer = threading.Event()

    def hang(held):
        answer.wait(DEADLINE)
        return [frozenset() for _ in held]

    monkeypatch.setattr(revocation, "lost", hang)
    return answer


def test_a_right_in_doubt_is_not_remembered(channel, token, undecided, monkeypatch):
    async def main():
        async with running(channel, token) as site:
            worker = site.application._worker
            subscribe = worker.hub.subscribe

            def doubt(subscriber, channels, subscription):
                done = subscribe(subscriber, channels, subscription)
                worker.guard._suspect([subscriber])
                return done

            monkeypatch.setattr(worker.hub, "subscribe", doubt)
            await site.visit()
            assert not len(site.memory)
            undecided.set()

    asyncio.run(main())


def test_all_who_wait_to_be_asked_about_are_in_doubt(channel, token, undecided, monkeypatch):
    async def main():
        async with running(channel, token) as site:
            watch, hub = site.application._worker.guard, site.application._worker.hub
            crowd = [EventStream() for _ in range(3)]
            for one in crowd:
                hub.subscribe(one, ["a"], Subscription(hub.position, Grant()))
            watch._suspect(crowd)
            await until(lambda: watch._asked)
            assert all(watch.doubts(one) for one in crowd)
            undecided.set()
            await until(lambda: not any(watch.doubts(one) for one in crowd))

    monkeypatch.setattr(guard, "_AT_ONCE", 1)
    asyncio.run(main())


def test_who_was_sent_away_is_not_remembered(channel, token):
    async def main():
        async with running(channel, token) as site:
            site.application._worker.drain()
            await site.visit(until=b"retry")
            assert not len(site.memory)

    asyncio.run(main())


def test_grounds_that_have_ended_open_nothing(channel, token, monkeypatch):
    monkeypatch.setattr(guard, "GROUNDS_INTERVAL", 3600)

    async def main():
        async with running(channel, token) as site:
            _, position = await site.visit()
            assert len(site.memory)
            await in_thread(token.delete)
            answer, _ = await site.visit(position)
            assert answer["status"] == 401

    asyncio.run(main())


def test_grounds_that_end_while_nobody_listens_have_ended(channel, token, monkeypatch):
    monkeypatch.setattr(guard, "GROUNDS_INTERVAL", 0.05)

    async def main():
        async with running(channel, token) as site:
            _, position = await site.visit()
            assert len(site.memory) == 1
            await in_thread(token.delete)
            await until(lambda: not len(site.memory))
            answer, _ = await site.visit(position)
            assert answer["status"] == 401

    asyncio.run(main())


def test_nothing_is_remembered_while_grounds_cannot_be_checked(channel, token, monkeypatch):
    monkeypatch.setattr(guard, "GROUNDS_INTERVAL", 0.05)

    async def main():
        async with running(channel, token) as site:
            await site.visit()
            assert len(site.memory)

            def fail(grants):
                raise RuntimeError("the database is away")

            monkeypatch.setattr(revocation, "ungrounded", fail)
            await until(lambda: not len(site.memory))

    asyncio.run(main())


@pytest.mark.parametrize("again", [False, True])
def test_a_right_that_ends_while_a_stream_opens_has_ended(
    channel, token, groceries, monkeypatch, again
):
    async def main():
        async with running(channel, token) as site:
            worker = site.application._worker
            position = (await site.visit())[1] if again else ""
            take_all, before = worker.slots.quotas.take_all, worker.hub.position

            def take_late(asked):
                slots = take_all(asked)
                groceries.delete()
                wait_until(lambda: worker.hub.position != before, "the event")
                return slots

            monkeypatch.setattr(worker.slots.quotas, "take_all", take_late)
            answer, _ = await site.visit(position, until=b"stream-error")
            # It was not attached yet, but open; or it is asked for once more.
            assert answer["status"] == (403 if again else 200)

    asyncio.run(main())


def test_a_check_of_all_rights_leaves_nothing_to_memory(channel, token, settings, monkeypatch):
    settings.REALTIME_RECHECK_INTERVAL = 0.05

    async def main():
        async with running(channel, token) as site:
            remembered, remember = [], site.memory.remember

            def note(request, opened):
                remember(request, opened)
                remembered.append(len(site.memory))

            monkeypatch.setattr(site.memory, "remember", note)
            await site.visit()
            assert 1 in remembered
            await until(lambda: not len(site.memory))

    asyncio.run(main())


def test_who_was_refused_a_channel_is_not_remembered(channel, token, groceries, monkeypatch):
    async def main():
        async with running(channel, token) as site:
            worker = site.application._worker
            subscribe = worker.hub.subscribe

            def lose(subscriber, channels, subscription):
                done = subscribe(subscriber, channels, subscription)
                worker.guard._forbid(subscriber, subscription.grant, frozenset(channels))
                return done

            monkeypatch.setattr(worker.hub, "subscribe", lose)
            await site.visit()
            assert not len(site.memory)

    asyncio.run(main())
