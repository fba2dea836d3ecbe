"""Who may read by a Pushpin, for how long, and who is believed to be one."""

import json
import time

import httpx
import jwt
import pytest

from tests.e2e.pushpin.conftest import add, channel, feeds, held, make_list, texts
from tests.pushpin import ISSUER, KEY
from tests.streams import Stream

SECONDS = 5.0
"""CONTRACT: so soon a right that ends is felt."""


def test_what_is_refused_without_a_proxy_is_refused_behind_one(lists):
    server, pushpin, _, (one, _) = lists
    url = f"{pushpin.url}/api/events/"
    assert httpx.get(url, params={"channel": channel(one)}).status_code == 401
    bob = {"Authorization": f"Token {server.token('bob')}"}
    assert httpx.get(url, params={"channel": channel(one)}, headers=bob).status_code == 403
    assert httpx.get(url, headers=bob).status_code == 400
    assert feeds(server, one) == []


# Whom to believe


@pytest.mark.parametrize("kind", ["none", "garbage", "alien", "expired", "endless"])
def test_who_has_no_signature_of_a_proxy_is_an_ordinary_client(lists, kind, forged):
    server, _, alice, (one, _) = lists
    headers = {"Authorization": f"Token {server.token()}", "Accept": "text/event-stream"}
    headers |= {"Grip-Feature": "link:next", "Grip-Last": f"{channel(one)}; last-id=1"}
    if kind != "none":
        headers["Grip-Sig"] = forged(kind)
    url = f"{server.url}/api/events/"
    params = {"channel": channel(one)}
    with httpx.stream("GET", url, params=params, headers=headers, timeout=20) as answer:
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("grip")]
        lines = answer.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: stream-open"
        add(alice, one, "held")
        assert next(line for line in lines if "held" in line)
        assert feeds(server, one) == []
        assert held(server) == 1
    assert httpx.get(f"{server.url}/api/events/proxied/", headers=headers).status_code == 404


@pytest.fixture
def forged():
    """Makes signatures that are none."""

    def make(kind):
        later, now = time.time() + 3600, time.time()
        return {
            "garbage": "x.y.z",
            "alien": jwt.encode({"iss": ISSUER, "exp": later}, "another key of as many letters!!"),
            "expired": jwt.encode({"iss": ISSUER, "exp": now - 60}, KEY),
            "endless": jwt.encode({"iss": ISSUER}, KEY),
        }[kind]

    return make


def test_a_client_can_smuggle_nothing_through_a_proxy(lists):
    server, pushpin, _, (one, _) = lists
    with Stream(pushpin.url, [channel(one)], token=server.token()) as stream:
        stream.opened()
        (feed,) = feeds(server, one)
        last = {"Grip-Last": f"realtime-{feed}; last-id=0-nowhere_"}
        answer = httpx.get(f"{pushpin.url}/api/events/proxied/", headers=last, timeout=20)
        assert "todo" not in answer.text
        assert answer.text.startswith("retry:")


# Rights


def test_a_right_that_ends_ends_the_stream_on_that_channel(lists):
    server, pushpin, alice, (one, _) = lists
    alice.post(f"/api/todo-lists/{one}/members/", json={"username": "bob"})
    with server.client("bob") as bob:
        own = make_list(bob)
        names = [channel(one), channel(own)]
        with Stream(pushpin.url, names, token=server.token("bob")) as stream:
            stream.opened()
            grows_old(stream)
            alice.delete(f"/api/todo-lists/{one}/members/bob/")
            assert error(stream)["channels"] == [channel(one)]
            add(alice, one, "not for bob")
            add(bob, own, "for bob")
            assert texts(stream, 1) == ["for bob"]
            # Shared again, it is heard again by a new stream.
            alice.post(f"/api/todo-lists/{one}/members/", json={"username": "bob"})
            with Stream(pushpin.url, names, token=server.token("bob")) as again:
                again.opened()
                add(alice, one, "for bob again")
                assert texts(again, 1) == ["for bob again"]


def test_the_end_of_a_login_ends_the_stream(both):
    server, pushpin = both
    name, token = server.shell(
        "from django.contrib.auth.models import User\n"
        "from rest_framework.authtoken.models import Token\n"
        "user = User.objects.create_user('carol')\n"
        "print(f'private-user.{user.pk}', Token.objects.create(user=user).key)"
    ).split()
    with Stream(pushpin.url, [name], token=token) as stream:
        stream.opened()
        grows_old(stream)
        server.shell(
            "from rest_framework.authtoken.models import Token\n"
            f"Token.objects.filter(key='{token}').delete()"
        )
        assert error(stream)["channels"] == [name]
        assert stream.rest() == []


def grows_old(stream):
    """Waits for some keep-alives: a proxy asks once soon after it has opened a stream, and what
    that finds out is no work of who publishes to it."""
    for _ in range(3):
        stream.until(lambda event: event.event == "keep-alive")


def error(stream):
    """The data of the stream's next error, which must come in time."""
    asked = time.monotonic()
    found = stream.until(lambda event: event.event == "stream-error")[-1]
    assert time.monotonic() < asked + SECONDS
    data = json.loads(found.data)
    assert data["condition"] == "forbidden"
    return data
