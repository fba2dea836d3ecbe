"""What a proxy is answered: about a stream that opens, and when it asks on."""

import re
import time

import jwt
import pytest
from django.db import OperationalError

from realtime import log, models
from realtime.events import Event, EventId
from realtime.grip import feeds
from realtime.rights.grants import Grant
from realtime.testing import settle
from tests.logged import logged
from todos.models import TodoList

pytestmark = pytest.mark.django_db

KEY = "a key of as many letters as it takes"
ASK = "/api/events/proxied/"


@pytest.fixture(autouse=True)
def _proxy(settings):
    settings.REALTIME_GRIP_URL = f"http://127.0.0.1:1?key={KEY}"


@pytest.fixture
def ask(client, groceries):
    """Asks as a proxy does, about a feed and up to where its stream is."""

    def get(feed="", last=None, position=None, path=ASK, **headers):
        said = [f"realtime-{feed}; last-id={last}"] if last else []
        said += [f"realtime-position; last-id={position}"] if position else []
        headers = {"Grip-Last": ", ".join(said)} if said else {}
        return client.get(path, headers={"Grip-Sig": signature(), **headers})

    return get


@pytest.fixture
def feed(alice, groceries):
    """The feed of alice's two lists."""
    other = TodoList.objects.create(name="Other", owner=alice)
    names = [f"private-todo-list.{each.pk}" for each in (groceries, other)]
    settle()
    return feeds.register(Grant(alice.pk), names)


def signature():
    return jwt.encode({"exp": time.time() + 60}, KEY)


def write(*names):
    """Logs an event on each of these channels; their ids."""
    return [event.id for event in logged(Event(name, "x", f'"{name}"') for name in names)]


def held(answer):
    """The feed, its last event and the position that a proxy is told to hold a stream with."""
    assert answer["Grip-Hold"] == "stream"
    assert answer["Grip-Link"] == f"<{ASK}>; rel=next; timeout=20"
    pattern = r"realtime-(\w+); prev-id=(\S+), realtime-\1-aside, realtime-position; prev-id=(\S+)"
    return re.fullmatch(pattern, answer["Grip-Channel"]).groups()


def open_stream(client, alice, names, **headers):
    client.force_login(alice)
    headers = {"Accept": "text/event-stream", "Grip-Sig": signature()} | headers
    query = "&".join(f"channel={name}" for name in names)
    return client.get(f"/api/events/?{query}", headers=headers)


def test_a_stream_that_opens_is_held_from_the_log_s_end(client, alice, feed):
    mine, other = write(feed.channels[0], "elsewhere")
    answer = open_stream(client, alice, feed.channels)
    _, last, position = held(answer)
    assert (last, position) == (str(mine), str(other))
    assert answer.content.startswith(b"retry: ")


def test_a_stream_that_resumes_gets_what_it_missed(client, alice, feed):
    one, two = write(*feed.channels)
    answer = open_stream(client, alice, feed.channels, **{"Last-Event-ID": str(one)})
    assert held(answer)[1:] == (str(two), str(two))
    assert answer.content.count(b"event: x") == 1


def test_nobody_but_a_proxy_gets_instructions_or_an_answer(client, alice, feed):
    answer = open_stream(client, alice, feed.channels, **{"Grip-Sig": "x.y.z"})
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("Grip")]
    assert client.get(ASK, headers={"Grip-Sig": "x.y.z"}).status_code == 404
    assert client.get(ASK).status_code == 404


def test_a_user_has_only_so_many_sets_of_channels(client, alice, feed, settings):
    settings.REALTIME_MAX_STREAMS_PER_USER = 3  # with that of the fixture
    one, two = feed.channels
    assert [open_stream(client, alice, names).status_code for names in ([one], [two])] == [200, 200]
    assert open_stream(client, alice, [one, two]).status_code == 429
    assert open_stream(client, alice, [one]).status_code == 200, "there is one of this set"


def test_who_asks_gets_what_came_after_what_was_published_or_confirmed(ask, feed):
    one, two, three = write(*feed.channels, feed.channels[0])
    answer = ask(feed.id, last=one, position=two)
    assert held(answer) == (feed.id, str(three), str(three))
    assert answer.content.count(b"event: x") == 1
    answer = ask(feed.id, last=three, position=one)
    assert held(answer) == (feed.id, str(three), str(three))
    assert answer.content.decode() == f"id: {three}\nevent: keep-alive\ndata:\n\n"


def test_a_quiet_stream_moves_on_with_the_log(ask, feed):
    one, *_, far = write(feed.channels[0], *["elsewhere"] * 5)
    answer = ask(feed.id, last=one, position=one)
    assert held(answer) == (feed.id, str(one), str(far))


def test_a_stream_that_is_confirmed_up_to_date_outlives_its_last_event(ask, feed):
    one, *_, far = write(feed.channels[0], *["elsewhere"] * 5)
    log.prune(max_events=0)
    answer = ask(feed.id, last=one, position=far)
    assert held(answer) == (feed.id, str(one), str(far))
    assert b"reset" not in answer.content


def test_what_was_pruned_is_said(ask, feed):
    one, *_, far = write(feed.channels[0], *["elsewhere"] * 5)
    log.prune(max_events=0)
    answer = ask(feed.id, last=one, position=one)
    assert held(answer)[2] == str(far)
    assert b"event: stream-reset\n" in answer.content
    assert b'"reason":"pruned"' in answer.content


def test_another_log_is_noticed(ask, feed):
    (one,) = write(feed.channels[0])
    answer = ask(feed.id, last=EventId(one.seq, "elsewher"))
    assert b'"reason":"restored"' in answer.content
    assert held(answer)[2] == str(one)


def test_who_is_there_is_shown_and_nobody_comes(client, alice, ask, groceries):
    channel = f"presence-todo-list.{groceries.pk}"
    nobody = b'data: {"channel":"%s","data":{"members":[],"version":0}}' % channel.encode()
    answer = open_stream(client, alice, [channel])
    assert b"event: member.list\n" + nobody in answer.content
    # Where nothing can hold it, as well.
    answer = open_stream(client, alice, [channel], **{"Grip-Sig": ""})
    assert b"event: member.list\n" + nobody in answer.content
    assert not models.Member.objects.exists()
    # And anew, if something may be missing.
    feed = feeds.register(Grant(alice.pk), [channel])
    *_, one = write("elsewhere")
    answer = ask(feed.id, last=EventId(one.seq, "elsewher"))
    assert answer.content.index(b"stream-reset") < answer.content.index(nobody)


def test_much_is_answered_page_by_page(ask, feed, settings):
    settings.REALTIME_REPLAY_PAGE = 2
    one, two, three, four, five = write(*[feed.channels[0]] * 5)
    answer = ask(feed.id, last=one)
    pages = [answer]
    while "Grip-Hold" not in answer:
        path = re.fullmatch(r"<(.*)>; rel=next", answer["Grip-Link"])[1]
        assert answer.content.count(b"event: x") == 2
        # The proxy still says where the stream was when it began to ask.
        answer = ask(feed.id, last=one, path=path)
        pages.append(answer)
    content = b"".join(page.content for page in pages).decode()
    assert re.findall(r"id: (\S+)\nevent: x", content) == list(map(str, (two, three, four, five)))
    assert held(answer) == (feed.id, str(five), str(five))


@pytest.mark.parametrize("path", [ASK, f"{ASK}x/y/", f"{ASK}{'0' * 32}/9-abcdefgh/"])
def test_about_an_unknown_feed_there_is_nothing_to_say(ask, path):
    answer = ask(path=path)
    assert re.fullmatch(rb"retry: \d+\n\n", answer.content)
    assert not [name for name in answer.headers if name.startswith("Grip")]


def test_a_right_that_has_ended_is_told_once_and_the_rest_goes_on(ask, alice, bob, feed):
    lost, kept = feed.channels
    (start,) = write("elsewhere")
    TodoList.objects.filter(pk=lost.rpartition(".")[2]).update(owner=bob)
    settle()
    write(lost, kept)
    answer = ask(feed.id, last=start)
    assert f'"channels":["{lost}"]'.encode() in answer.content
    assert f'"data":"{lost}"'.encode() not in answer.content
    assert f'"data":"{kept}"'.encode() in answer.content
    successor, last, position = held(answer)
    assert successor != feed.id
    assert feeds.find(successor).channels == (kept,)
    assert b"stream-error" not in ask(successor, last=last, position=position).content


def test_a_grant_that_has_ended_ends_the_stream(ask, alice, feed):
    alice.is_active = False
    alice.save()
    answer = ask(feed.id, last=log.head())
    assert answer.content.startswith(b"event: stream-error\n")
    assert all(name.encode() in answer.content for name in feed.channels)
    assert not [name for name in answer.headers if name.startswith("Grip")]


def test_an_ended_feed_whose_rights_are_back_has_a_successor(ask, feed):
    feeds.end([feed.id])
    answer = ask(feed.id, last=log.head())
    assert b"stream-error" not in answer.content
    successor, _, _ = held(answer)
    assert feeds.find(successor).channels == feed.channels
    assert not feeds.find(successor).ended


@pytest.fixture
def late(monkeypatch):
    """Has an event logged on a channel just before the next feed is registered."""

    def arm(name):
        register, armed = feeds.register, [name]

        def register_late(*args):
            if armed:
                write(armed.pop())
            return register(*args)

        monkeypatch.setattr(feeds, "register", register_late)

    return arm


def test_what_came_before_a_new_feed_was_known_is_in_the_answer(client, alice, feed, late):
    (start,) = write("elsewhere")
    late(feed.channels[0])
    resumed = {"Last-Event-ID": str(start)}
    answer = open_stream(client, alice, feed.channels, **resumed)
    assert answer.content.count(b"event: x") == 1
    assert held(answer)[1] == str(log.head())


def test_what_came_before_a_successor_was_known_is_in_the_answer(ask, feed, late):
    (start,) = write("elsewhere")
    feeds.end([feed.id])
    late(feed.channels[0])
    answer = ask(feed.id, last=start)
    assert answer.content.count(b"event: x") == 1
    assert held(answer)[1] == str(log.head())


def test_while_the_database_is_away_the_stream_is_held_on(ask, feed, monkeypatch):
    one, two = write(feed.channels[0], "elsewhere")

    def away(*args):
        raise OperationalError("away")

    monkeypatch.setattr(feeds, "find", away)
    answer = ask(feed.id, last=one, position=two)
    assert answer.content == b""
    assert f"realtime-{feed.id}; prev-id={one}," in answer["Grip-Channel"]
    assert answer["Grip-Channel"].endswith(f"realtime-position; prev-id={two}")
    assert answer["Grip-Link"].endswith("timeout=2")
