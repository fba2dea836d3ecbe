"""The worker's own promises, in one event loop: holes, restores, late rights, broken checks."""

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import asynccontextmanager

import pytest
from django.db import connections
from django.test import override_settings

from realtime import audience, hub, log, models, sequencer
from realtime import worker as module
from realtime.events import Event, EventId
from realtime.eventstream import EventStream, StreamWire
from realtime.rights import guard, revocation
from realtime.rights.grants import Grant
from realtime.subscriber import Subscription
from realtime.testing import settle
from realtime.triggers import trigger
from realtime.wire import Loan
from realtime.worker import Worker
from tests.ports import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)


@asynccontextmanager
async def running():
    worker = Worker()
    await worker.start()
    try:
        yield worker
    finally:
        await worker.stop()


def attach(worker, *channels, grant=None):
    subscriber = EventStream()
    subscription = Subscription(worker.hub.position, grant or Grant())
    assert worker.hub.subscribe(subscriber, channels, subscription)
    return subscriber


async def received(subscriber, *texts: bytes):
    """Waits until the subscriber has got all of these."""
    got = b""
    async with asyncio.timeout(DEADLINE):
        woken = asyncio.Event()
        subscriber.on_write(woken.set)
        while not all(text in got for text in texts):
            got += b"".join(subscriber.take())
            if all(text in got for text in texts):
                break
            await woken.wait()
            woken.clear()
    return got


def in_thread(function: Callable, *args):
    def call():
        try:
            return function(*args)
        finally:
            connections.close_all()

    return asyncio.to_thread(call)


def run(main):
    asyncio.run(main())


def test_what_the_broker_loses_is_read_from_the_log(monkeypatch):
    async def main():
        async with running() as worker:
            subscriber = attach(worker, "a")
            monkeypatch.setattr(sequencer.broker(), "publish", lambda events: None)
            await in_thread(trigger, "a", "note", 1)
            await received(subscriber, b'"data":1}')

    run(main)


def test_a_message_that_was_lost_is_healed_in_order(monkeypatch):
    async def main():
        async with running() as worker:
            subscriber = attach(worker, "a")
            publish, lost = sequencer.broker().publish, []

            def lose_the_first(events):
                if lost:
                    publish(events)
                else:
                    lost.append(events)

            monkeypatch.setattr(sequencer.broker(), "publish", lose_the_first)
            await in_thread(trigger, "a", "note", 1)
            await in_thread(trigger, "a", "note", 2)
            got = await received(subscriber, b'"data":1}', b'"data":2}')
            assert got.index(b'"data":1}') < got.index(b'"data":2}')
            assert got.count(b"event: note") == 2

    run(main)


def test_what_another_process_numbered_is_found_by_the_tick(monkeypatch):
    async def main():
        async with running() as worker:
            subscriber = attach(worker, "a")
            monkeypatch.setattr(sequencer, "committed", lambda numbered: None)
            await in_thread(trigger, "a", "note", 1)
            await received(subscriber, b"event: note")

    run(main)


def test_a_database_restored_under_the_server_resets_every_stream():
    def restore():
        models.Event.objects.all().delete()
        models.Head.objects.update(seq=0, nonce="restored", floor=0, floor_nonce="restored")

    async def main():
        await in_thread(trigger, "a", "before", 1)
        async with running() as worker:
            subscriber = attach(worker, "a")
            await in_thread(restore)
            await received(subscriber, b"event: stream-reset", b'"reason":"restored"')
            await in_thread(trigger, "a", "after", 1)
            await received(subscriber, b"event: after")

    run(main)


def test_a_right_that_ends_while_a_stream_opens_is_noticed(alice, bob, groceries):
    async def main():
        async with running() as worker:
            checked = worker.hub.position
            name = f"private-todo-list.{groceries.pk}"
            # The view has just found that bob may; before the stream is attached, he may not.
            await in_thread(revocation.lost, [(Grant(bob.pk), frozenset([name]))])
            watcher = attach(worker, f"private-user.{bob.pk}", grant=Grant(bob.pk))
            await in_thread(groceries.members.remove, bob)
            await received(watcher, b"todo-list.left")
            late = attach(worker, name, grant=Grant(bob.pk))
            worker.guard.welcome(late, checked)
            await received(late, b"event: stream-error")
            assert late.ended

    groceries.members.add(bob)
    settle()
    run(main)


def test_rights_are_asked_again_although_nothing_tells_that_they_have_ended(bob, groceries):
    def remove():
        with connections["default"].cursor() as cursor:
            cursor.execute("DELETE FROM todos_membership WHERE user_id = %s", [bob.pk])

    async def main():
        async with running() as worker:
            name = f"private-todo-list.{groceries.pk}"
            one = attach(worker, name, grant=Grant(bob.pk))
            await in_thread(remove)
            await received(one, b"event: stream-error")

    groceries.members.add(bob)
    settle()
    with override_settings(REALTIME_RECHECK_INTERVAL=0.1):
        run(main)


def test_those_with_the_same_rights_are_asked_about_together(alice, bob, monkeypatch):
    async def main():
        async with running() as worker:
            for _ in range(2):
                for user in (alice, bob):
                    attach(worker, "public-a", grant=Grant(user.pk))
            assert await asyncio.to_thread(over.wait, DEADLINE)

    def lost(held):
        asked.append({grant.user for grant, _ in held})
        if len(asked) == 2:
            over.set()
        return [frozenset()] * len(held)

    asked, over = [], threading.Event()
    monkeypatch.setattr(guard, "_AT_ONCE", 2)
    monkeypatch.setattr(revocation, "lost", lost)
    with override_settings(REALTIME_RECHECK_INTERVAL=0.1):
        run(main)
    assert asked[:2] == [{alice.pk}, {bob.pk}]


def test_a_rule_that_fails_ends_neither_the_worker_nor_the_checks(alice, groceries, monkeypatch):
    async def main():
        async with running() as worker:
            name = f"private-todo-list.{groceries.pk}"
            one = attach(worker, name, grant=Grant(alice.pk))
            lost, failed = revocation.lost, threading.Event()

            def fail(held):
                failed.set()
                raise ZeroDivisionError

            monkeypatch.setattr(revocation, "lost", fail)
            worker.guard._suspect([one])
            assert await asyncio.to_thread(failed.wait, DEADLINE)
            monkeypatch.setattr(revocation, "lost", lost)
            await in_thread(groceries.delete)
            await received(one, b"todo-list.deleted", b"event: stream-error")

    settle()
    run(main)


def test_a_right_that_nobody_can_ask_about_sends_the_stream_away(alice, groceries, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def hang(held):
        asked.set()
        answer.wait(DEADLINE)
        return []

    async def main():
        async with running() as worker:
            name = f"private-todo-list.{groceries.pk}"
            one = attach(worker, name, grant=Grant(alice.pk))
            other = attach(worker, "public")
            monkeypatch.setattr(revocation, "lost", hang)
            worker.guard._suspect([one])
            await received(one, b"retry: ")
            assert one.ended
            assert not other.ended
            answer.set()

    monkeypatch.setattr(guard, "_PATIENCE", 0.1)
    run(main)


def test_nobody_hears_anything_on_grounds_that_cannot_be_asked_for(monkeypatch):
    asked, answer = threading.Event(), threading.Event()
    ungrounded = revocation.ungrounded

    def hang(grants):
        asked.set()
        answer.wait(DEADLINE)
        return ungrounded(grants)

    async def main():
        async with running() as worker:
            one = attach(worker, "a")
            monkeypatch.setattr(revocation, "ungrounded", hang)
            worker.guard._sure_at -= 60
            position = worker.hub.position
            await in_thread(trigger, "a", "note", 1)
            await asyncio.to_thread(asked.wait, DEADLINE)
            await in_thread(trigger, "a", "note", 2)
            while (await in_thread(log.head)).seq < position.seq + 2:
                pass
            # It has been numbered, and this process has had the time to read it.
            for _ in range(3):
                worker._sequencer.wake()
                await in_thread(log.head)
            assert worker.hub.position == position
            assert one.take() == []
            answer.set()
            got = await received(one, b'"data":1}', b'"data":2}')
            assert got.count(b"event: note") == 2

    run(main)


def test_a_reader_that_takes_nothing_is_cut():
    async def main():
        async with running() as worker:
            subscriber = attach(worker, "a")
            cut = asyncio.Event()
            leave = worker.attend(subscriber, cut.set)
            subscriber.stalled_since = asyncio.get_running_loop().time() - 60
            async with asyncio.timeout(DEADLINE):
                await cut.wait()
            assert subscriber.cut
            leave()

    with override_settings(REALTIME_KEEP_ALIVE=0.2):
        run(main)


@pytest.mark.parametrize("where", ["behind", "level", "ahead"])
def test_a_keep_alive_moves_only_those_who_have_got_everything(where):
    async def main():
        await in_thread(trigger, "a", "note", 1)
        await in_thread(trigger, "a", "note", 2)
        async with running() as worker:
            position = worker.hub.position
            seq = {"behind": 1, "level": position.seq, "ahead": position.seq + 1}[where]
            one = EventStream()
            if where != "behind":
                subscription = Subscription(EventId(seq, position.nonce), Grant())
                assert worker.hub.subscribe(one, ["a"], subscription)
            leave = worker.attend(one, asyncio.Event().set)
            got = await received(one, b"event: keep-alive")
            assert (f"id: {position}".encode() in got) == (where == "level")
            leave()

    with override_settings(REALTIME_KEEP_ALIVE=0.2):
        run(main)


async def kept_alive():
    """Waits for a keep-alive."""
    async with running() as worker:
        one = attach(worker, "a")
        leave = worker.attend(one, asyncio.Event().set)
        await received(one, b"event: keep-alive")
        leave()


class Spreading:
    """Says as often as it is told to that an event is still on its way."""

    def __init__(self, times):
        self.times = times

    def __get__(self, hub, owner):
        self.times -= 1
        return self.times < 0


def test_keep_alives_do_not_come_between_an_event_and_those_it_is_on_its_way_to(monkeypatch):
    spreading = Spreading(50)
    monkeypatch.setattr(hub.Hub, "is_settled", spreading)
    # No time for all of them, and 15 s for an event.
    monkeypatch.setattr(module, "_MARGIN", 0.99999)
    with override_settings(REALTIME_KEEP_ALIVE=15):
        run(kept_alive)
    assert spreading.times < 0


def test_keep_alives_come_although_there_is_always_an_event(monkeypatch):
    monkeypatch.setattr(hub.Hub, "is_settled", False)
    with override_settings(REALTIME_KEEP_ALIVE=0.2):
        run(kept_alive)


def test_who_was_sent_all_that_waited_is_in_line(monkeypatch):
    async def main():
        async with running() as worker:
            subscriber = attach(worker, "a")
            ours, theirs = socket.socketpair()
            with ours, theirs:
                transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                    asyncio.Protocol, ours
                )
                wire = StreamWire(worker.flusher, subscriber, lambda: None)
                wire.open(lambda wire: Loan(transport, lambda: None, ours.fileno()))
                subscriber.write(b": opened\n\n")
                assert b"opened" in await asyncio.to_thread(theirs.recv, 100)
                (listeners,) = worker.hub._audiences.values()
                assert [list(line) for line in listeners.lines] == [[subscriber]]
                transport.abort()

    monkeypatch.setattr(audience, "FEW", 0)
    run(main)


def test_the_log_prunes_itself():
    async def main():
        await in_thread(trigger, "a", "note", 1)
        async with running():
            for _ in range(3):
                await in_thread(trigger, "a", "note", 2)
            async with asyncio.timeout(DEADLINE):
                while (await asyncio.to_thread(pruned)) == 0:
                    pass

    def pruned():
        try:
            return log.extent().floor.seq
        finally:
            connections.close_all()

    with override_settings(REALTIME_PRUNE_INTERVAL=0.1, REALTIME_LOG_MAX_EVENTS=2):
        run(main)


def test_ephemeral_events_reach_those_who_are_there():
    async def main():
        async with running() as worker:
            subscriber = attach(worker, "a")
            await in_thread(lambda: trigger("a", "typing", 1, ephemeral=True))
            got = await received(subscriber, b"event: typing")
            assert b"id:" not in got

    run(main)


def test_the_control_channel_is_nobodys(alice):
    from realtime.channels import registry

    assert registry.readable(alice, [revocation.CONTROL]) == set()
    assert Event(revocation.CONTROL, "x", "1").channel == "realtime.control"
