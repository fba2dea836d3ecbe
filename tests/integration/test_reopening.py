"""Who comes back with the same request needs no Django, unless a right may have ended."""

import asyncio
import re
import threading
from contextlib import asynccontextmanager

import pytest
from django.db import connections
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token

from api.wsgi import application as django
from realtime import log, models, sequencer
from realtime.asgi import RealtimeApplication
from realtime.eventstream import EventStream
from realtime.rights import guard, revocation
from realtime.rights.grants import Grant
from realtime.subscriber import Subscription
from realtime.triggers import trigger
from tests.ports import DEADLINE, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def channel(groceries):
    return f"private-todo-list.{groceries.pk}"


@pytest.fixture
def token(alice):
    return Token.objects.create(user=alice)


class Site:
    """The application in this process; it notes the requests that reach Django."""

    def __init__(self, channel, token):
        self.asked = []
        self.application = RealtimeApplication(self._django)
        self.channel = channel
        self._token = token.key

    def _django(self, environ, start_response):
        self.asked.append(environ["QUERY_STRING"])
        return django(environ, start_response)

    @property
    def memory(self):
        return self.application._worker.guard.memory

    async def visit(self, position="", query="", until=b"", **headers):
        """A stream that is opened, and left as soon as it has said something: its status and
        position."""
        sent, left = [], asyncio.Event()

        async def receive():
            if not sent:
                return {"type": "http.request"}
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)
            if until in message.get("body", b"") != b"":
                left.set()

        headers = {"authorization": f"Token {self._token}", **headers}
        if position:
            headers["last-event-id"] = position
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/events/",
            "query_string": f"channel={self.channel}{query}".encode(),
            "headers": [
                (b"host", b"testserver"),
                (b"accept", b"text/event-stream"),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
        }
        async with asyncio.timeout(DEADLINE):
            await self.application(scope, receive, send)
        found = re.search(rb"id: (\S+)\nevent: stream-open", sent[1]["body"])
        return sent[0], found and found[1].decode()


@asynccontextmanager
async def running(channel, token):
    site = Site(channel, token)
    await site.application._started()
    try:
        yield site
    finally:
        await site.application._worker.stop()


async def in_thread(function, *args):
    def call():
        try:
            function(*args)
        finally:
            connections.close_all()

    await asyncio.to_thread(call)


async def until(condition):
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)


def unnamed(start):
    """The beginning of an answer, without the id of its request."""
    headers = [header for header in start["headers"] if header[0] != b"x-request-id"]
    return {**start, "headers": headers}


def test_who_comes_back_is_answered_the_same_without_django(channel, token):
    async def main():
        async with running(channel, token) as site:
            first, position = await site.visit()
            assert first["status"] == 200
            again, start = await site.visit(position, **{"x-request-id": "another"})
            assert unnamed(again) == unnamed(first)
            assert start == position
            assert len(site.asked) == 1

    asyncio.run(main())


def test_who_comes_back_is_a_member_again(groceries, token):
    async def main():
        async with running(f"presence-todo-list.{groceries.pk}", token) as site:
            _, position = await site.visit(until=b"event: member.list")
            await until(lambda: not site.application._worker.roster._held)
            await site.visit(position, until=b'"members":[{"id":"')
            assert len(site.asked) == 1

    asyncio.run(main())


@pytest.mark.parametrize("other", [
    {"headers": {"authorization": "Token another"}},
    {"headers": {"cookie": "sessionid=another"}},
    {"headers": {"x-api-key": "another"}},
    {"headers": {"origin": "https://example.org"}},
    {"query": "&channel=private-todo-list.99"},
    {"query": "&ticket=another"},
    {"query": "&lastEventId="},
], ids=str)  # fmt: skip
def test_another_request_is_another_question(channel, token, other):
    async def main():
        async with running(channel, token) as site:
            _, position = await site.visit()
            await site.visit(position, other.get("query", ""), **other.get("headers", {}))
            assert len(site.asked) == 2

    asyncio.run(main())


def test_who_asks_for_the_same_while_it_is_open_begins_with_what_comes_now(channel, token):
    async def main():
        async with running(channel, token) as site:
            worker = site.application._worker
            first = asyncio.ensure_future(site.visit(until=b"event: enough"))
            await until(lambda: len(worker.hub))
            await in_thread(trigger, channel, "note", 1)
            _, start = await site.visit()
            assert start == str(worker.hub.position) == str(await asyncio.to_thread(log_head))
            assert len(site.asked) == 1
            await in_thread(trigger, channel, "enough", 1)
            await first

    asyncio.run(main())


def log_head():
    try:
        return log.head()
    finally:
        connections.close_all()


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


@pytest.mark.parametrize("position", ["nonsense", "1-nonsense"])
def test_who_comes_from_nowhere_is_asked_for_by_django(channel, token, position):
    async def main():
        async with running(channel, token) as site:
            await site.visit()
            await site.visit(position)
            assert len(site.asked) == 2

    asyncio.run(main())


def test_what_was_missed_is_sent_to_who_comes_back(channel, token):
    async def main():
        async with running(channel, token) as site:
            _, position = await site.visit()
            before = site.application._worker.hub.position
            await in_thread(trigger, channel, "note", 1)
            await until(lambda: site.application._worker.hub.position != before)
            _, start = await site.visit(position)
            assert start == position
            assert len(site.asked) == 1

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


def test_nothing_is_remembered_of_another_log(channel, token):
    def restore():
        models.Event.objects.all().delete()
        models.Head.objects.update(seq=0, nonce="restored", floor=0, floor_nonce="restored")

    async def main():
        async with running(channel, token) as site:
            await site.visit()
            assert len(site.memory)
            await in_thread(restore)
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


def test_an_answer_that_sets_a_cookie_is_not_given_twice(channel, token, monkeypatch):
    async def main():
        async with running(channel, token) as site:
            django = site.application._bridge._application

            def with_cookie(environ, start_response):
                def start(status, headers):
                    return start_response(status, [*headers, ("Set-Cookie", "a=b")])

                return django(environ, start)

            monkeypatch.setattr(site.application._bridge, "_application", with_cookie)
            await site.visit()
            assert not len(site.memory)

    asyncio.run(main())


def test_who_is_logged_in_by_means_of_its_own_is_not_remembered(channel, alice, monkeypatch):
    async def main():
        async with running(channel, Token(key="own")) as site:
            await site.visit()
            assert not len(site.memory)

    def authenticate(self, key):
        return alice, None

    monkeypatch.setattr(TokenAuthentication, "authenticate_credentials", authenticate)
    asyncio.run(main())


def test_who_has_too_many_streams_is_told_so_by_django(channel, token, settings):
    settings.REALTIME_MAX_STREAMS_PER_USER = 1

    async def main():
        async with running(channel, token) as site:
            _, position = await site.visit()
            await in_thread(site.application._worker.slots.quotas.take, f"user {token.user_id}", 9)
            answer, _ = await site.visit(position)
            assert answer["status"] == 429

    asyncio.run(main())
