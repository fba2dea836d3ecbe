"""Who comes back with the same request needs no Django."""

import asyncio

import pytest
from django.db import connections
from rest_framework.authentication import TokenAuthentication
from rest_framework.authtoken.models import Token

from realtime import log, models
from realtime.triggers import trigger
from tests.integration.reopening.site import in_thread, running, unnamed, until

pytestmark = pytest.mark.django_db(transaction=True)


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
