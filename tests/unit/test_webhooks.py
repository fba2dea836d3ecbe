"""Webhooks arrive, in order, whatever becomes of their receivers; and nobody waits for them."""

import json
import time

import pytest

from realtime import webhooks
from tests.ports import free_port, wait_until
from tests.websockets import APP


@pytest.fixture(autouse=True)
def _hooks(pusher_app, settings, monkeypatch):
    settings.PUSHER_WEBHOOK_URLS = []
    monkeypatch.setattr(webhooks, "_FIRST_DELAY", 0.01)
    yield
    webhooks.close(0)


@pytest.fixture
def hook(settings, make_hook):
    hook = make_hook(APP)
    settings.PUSHER_WEBHOOK_URLS = [hook.url]
    return hook


def event(n):
    return {"name": "channel_occupied", "channel": f"c{n}"}


def notify(*numbers):
    for n in numbers:
        webhooks.notify(**event(n))


def test_pushers_library_believes_what_comes(hook):
    sent = {"channel": "private-a", "data": '{"a":"\u00e9\ud800"}', "socket_id": "1.2"}
    webhooks.notify("client_event", event="client-x", **sent)
    hook.wait_for({"name": "client_event", "event": "client-x", **sent})
    webhooks.notify("cache_miss", channel="\u00e9")
    wait_until(lambda: len(hook.bodies) == 2, "the second")
    body = hook.bodies[1]
    assert b" " not in body
    assert "\u00e9".encode() in body
    assert abs(json.loads(body)["time_ms"] - time.time() * 1000) < 60_000


def test_events_of_a_moment_come_together(hook):
    notify(*range(250))
    hook.wait_for(*map(event, range(250)))
    assert len(hook.bodies) == 3


def test_what_fails_is_tried_again_in_order(hook):
    hook.statuses = [500, 302, 404, 429]
    notify(1)
    wait_until(lambda: hook.asked >= 2, "two attempts")
    notify(2)
    hook.wait_for(event(1), event(2))
    assert hook.asked >= 5


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(settings, make_hook):
    port = free_port()
    settings.PUSHER_WEBHOOK_URLS = [f"http://127.0.0.1:{port}/"]
    notify(1)
    (receiver,) = webhooks._receivers.values()
    wait_until(lambda: not receiver._waiting, "the first attempt")
    notify(2)
    make_hook(APP, port).wait_for(event(1), event(2))


def test_a_receiver_that_hangs_holds_up_nobody(settings, make_hook):
    slow, quick = make_hook(APP), make_hook(APP)
    settings.PUSHER_WEBHOOK_URLS = [slow.url, quick.url]
    slow.answering.clear()
    notify(1)
    wait_until(lambda: slow.asked, "the slow one to be asked")
    notify(2)
    quick.wait_for(event(1), event(2))
    assert slow.told == []
    slow.answering.set()
    slow.wait_for(event(1), event(2))


def test_what_fails_for_too_long_is_given_up_and_what_follows_is_told(hook, monkeypatch, caplog):
    monkeypatch.setattr(webhooks, "PATIENCE", 0.2)
    hook.statuses = [500] * 1000
    notify(1)
    # Threads of tests before may give up now as well, for another reason.
    wait_until(lambda: "1 events are lost: status 500" in caplog.text, "it to be given up")
    assert hook.asked > 1
    hook.statuses = []
    notify(2)
    hook.wait_for(event(2))


def test_too_much_that_waits_loses_the_oldest(settings, hook, caplog):
    settings.REALTIME_WEBHOOK_BUFFER = 500
    hook.answering.clear()
    notify(1)
    wait_until(lambda: hook.asked, "it to be asked")
    notify(*range(2, 100))
    assert "events are lost" in caplog.text
    hook.answering.set()
    wait_until(lambda: event(99) in hook.told, "the newest")
    assert hook.told[0] == event(1)
    assert event(2) not in hook.told
    assert len(hook.told) < 15


def test_the_end_of_the_process_tells_what_waits(hook):
    notify(1)
    webhooks.close()
    assert hook.told == [event(1)]


def test_the_end_of_the_process_tries_once_more_what_has_failed(hook, monkeypatch):
    monkeypatch.setattr(webhooks, "_FIRST_DELAY", 60)
    hook.statuses = [500]
    notify(1)
    wait_until(lambda: hook.asked, "it to be asked")
    notify(2)
    webhooks.close()
    assert hook.told == [event(1), event(2)]


def test_the_end_of_the_process_does_not_wait_for_who_hangs(hook):
    hook.answering.clear()
    notify(1)
    wait_until(lambda: hook.asked, "it to be asked")
    notify(2)
    (receiver,) = webhooks._receivers.values()
    webhooks.close(0.1)
    assert receiver.is_alive()


def test_nobody_is_told_without_urls_or_without_an_application(settings, hook):
    settings.PUSHER_WEBHOOK_URLS = []
    notify(1)
    settings.PUSHER_WEBHOOK_URLS, settings.PUSHER_SECRET = [hook.url], ""
    notify(2)
    assert webhooks._receivers == {}
