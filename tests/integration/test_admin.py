"""The admin: the log, and who is connected."""

import json
import re

import pytest
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models.functions import Now
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from realtime import models
from realtime.events import Event
from realtime.operations import listing
from realtime.rights import evictions
from realtime.rights.grants import Grant
from realtime.testing import settle
from tests.logged import logged

pytestmark = pytest.mark.django_db

EVENTS = "/admin/realtime/event/"
CONNECTIONS = "/admin/realtime/stream/"


@pytest.fixture
def admin(django_user_model):
    user = django_user_model.objects.create_superuser("root", password="x")
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def worker():
    return models.Worker.objects.create(id="w" * 32, host="a-host x", pid=7, seen_at=Now())


@pytest.fixture
def connect(worker):
    """Makes rows of connections."""

    def connect(user, *, channels=("news",), grants=(), number=1, **options):
        return models.Stream.objects.create(
            worker=options.get("worker", worker),
            owner=f"user {user.pk}",
            opened_at=Now(),
            number=number,
            transport="sse",
            channels=json.dumps(channels),
            grants=json.dumps([grant.dump() for grant in grants]),
        )

    return connect


def act(client, action, *rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(CONNECTIONS, data, follow=True)


def orders():
    settle()
    rows = models.Event.objects.filter(channel="realtime.control").order_by("seq")
    return [(row.type, json.loads(row.data)) for row in rows]


def names(page):
    return [row.username for row in page.context["cl"].result_list]


# Who is connected


def test_it_shows_who_is_connected_by_name_and_since_when(admin, alice, bob, connect, worker):
    connect(alice, channels=["a", "b"])
    connect(bob)
    lost = models.Worker.objects.create(id="l", host="h", pid=1, seen_at=Now(), lost=True)
    connect(bob, worker=lost)
    page = admin.get(CONNECTIONS)
    assert sorted(names(page)) == ["alice", "bob"]
    text = page.content.decode()
    assert "a, b" in text
    assert "7 on a-host" in text


def test_it_asks_for_all_names_at_once(admin, alice, connect):
    for number in range(20):
        connect(alice, number=number)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        admin.get(CONNECTIONS)
    assert sum('FROM "auth_user"' in query["sql"] for query in asked) <= 2


@pytest.mark.parametrize("term", ["alice", "private-todo-list.1"])
def test_users_and_channels_are_found(admin, alice, bob, connect, term):
    connect(alice, channels=["private-todo-list.1"])
    connect(bob, channels=["private-todo-list.11"])
    assert names(admin.get(CONNECTIONS, {"q": term})) == ["alice"]


def test_what_a_connection_rests_on_is_shown_nowhere(admin, alice, connect):
    row = connect(alice, grants=[Grant(alice.pk, token="the-secret")])
    assert "the-secret" not in admin.get(CONNECTIONS).content.decode()
    assert admin.get(f"{CONNECTIONS}{row.pk}/change/").status_code in (302, 403)


def test_what_rests_on_the_same_can_be_told(admin, alice, bob, connect):
    secrets = ("one-token", "another-token", "a-session-key")
    for row, grant in enumerate(
        (
            Grant(alice.pk, token=secrets[0]),
            Grant(alice.pk, token=secrets[0]),
            Grant(bob.pk, token=secrets[1]),
            Grant(bob.pk, session=secrets[2], password="hash"),
            Grant(bob.pk, password="hash"),
            Grant(address="::1"),
        )
    ):
        connect(alice, number=row, grants=[grant])
    page = admin.get(CONNECTIONS)
    text = page.content.decode()
    shown = re.findall(r'field-rests_on">([^<]*)<', text)[::-1]
    assert [one.split()[0] for one in shown] == [
        *("token", "token", "token", "session", "password", "nothing"),
    ]
    assert shown[0] == shown[1] != shown[2]
    assert not any(secret in text or secret[:6] in text for secret in secrets)
    assert re.search(r"field-opened\">\d{4}-\d\d-\d\d \d\d:\d\d:\d\d<", text)
    assert "all that rests on it" in text


def test_kick_orders_the_worker_to_end_it_and_ends_no_right(admin, alice, connect, worker):
    token = Token.objects.create(user=alice)
    row = connect(alice, number=5, grants=[Grant(alice.pk, token=token.key)])
    assert "1 connection ends now." in act(admin, "kick", row).content.decode()
    assert orders() == [(evictions.KICK, {worker.pk: [5]})]
    assert Token.objects.filter(pk=token.pk).exists()
    from django.contrib.admin.models import LogEntry

    assert LogEntry.objects.get().change_message == "Kicked."


def test_revoke_ends_sessions_and_tokens(admin, alice, connect, worker):
    browser = Client()
    browser.force_login(alice)
    key = browser.session.session_key
    token = Token.objects.create(user=alice)
    grants = [Grant(alice.pk, session=key), Grant(alice.pk, token=token.key)]
    rows = [connect(alice, number=n, grants=[grant]) for n, grant in enumerate(grants)]
    page = act(admin, "revoke", *rows)
    assert not Session.objects.filter(pk=key).exists()
    told = "2 connections end now, with their sessions and tokens, and all others"
    assert told in page.content.decode()
    assert not Token.objects.exists()
    ((kind, told),) = orders()
    assert (kind, sorted(told[worker.pk])) == (evictions.REVOKE, [0, 1])
    assert "disable the user" not in page.content.decode()


def test_what_can_t_be_revoked_is_said(admin, alice, connect):
    page = act(admin, "revoke", connect(alice, grants=[Grant(alice.pk, password="hash")]))
    assert "disable the user" in page.content.decode()


def test_who_may_only_look_may_only_look(alice, connect):
    alice.is_staff = True
    alice.save()
    client = Client()
    client.force_login(alice)
    row = connect(alice)
    assert client.get(CONNECTIONS).status_code == 403
    alice.user_permissions.add(Permission.objects.get(codename="view_stream"))
    assert client.get(CONNECTIONS).status_code == 200
    for action in ("kick", "revoke"):
        act(client, action, row)
    assert orders() == []
    alice.user_permissions.add(Permission.objects.get(codename="kick_stream"))
    for action in ("kick", "revoke"):
        act(client, action, row)
    assert [kind for kind, _ in orders()] == ["kick"]


# The log


@pytest.fixture
def written():
    return logged(
        Event(channel, kind, "1")
        for channel in ("a", "b", "ab")
        for kind in ("todo-item.created", "x")
    )


def shown(page):
    return [row.seq for row in page.context["cl"].result_list]


def test_events_are_found_by_channel_number_id_and_type(admin, written):
    newest_first = [event.position.seq for event in written][::-1]
    assert shown(admin.get(EVENTS)) == newest_first
    assert len(shown(admin.get(EVENTS, {"q": "a"}))) == 2
    event = written[3]
    for term in (str(event.position), str(event.position.seq)):
        assert shown(admin.get(EVENTS, {"q": term})) == [event.position.seq]
    assert len(shown(admin.get(EVENTS, {"type": "todo-item.created"}))) == 3
    assert shown(admin.get(EVENTS, {"numbered": "no"})) == []
    assert admin.get(EVENTS, {"q": "9" * 30}).status_code == 200


def test_an_event_is_shown_with_its_time_and_all_types_can_be_asked_for(admin, written):
    row = models.Event.objects.get(seq=written[0].position.seq)
    time = row.created_at.strftime("%Y-%m-%d %H:%M:%S")
    assert f'<span class="second">{time}</span>' in admin.get(EVENTS).content.decode()
    page = admin.get(f"{EVENTS}{row.pk}/change/").content.decode()
    assert time in page
    assert str(written[0].position) in page
    text = admin.get(EVENTS).content.decode()
    # Of publishers, of presence, of orders, and whatever else was sent lately.
    for kind in ("todo-item.left", "member.joined", "kick", "revoke", "x"):
        assert f"?type={kind}" in text


def test_nobody_counts_all_rows(admin, written, monkeypatch):
    monkeypatch.setattr(listing, "MOST", 4)
    with CaptureQueriesContext(connection) as asked:
        admin.get(EVENTS)
    counts = [query["sql"] for query in asked if "COUNT(" in query["sql"]]
    assert counts
    assert all("LIMIT 4" in sql for sql in counts)
    assert not any("DISTINCT" in query["sql"] for query in asked)


def test_nothing_can_be_written(admin, written):
    row = models.Event.objects.first()
    assert admin.get(f"{EVENTS}{row.pk}/change/").status_code == 200
    for path in (f"{EVENTS}add/", f"{EVENTS}{row.pk}/delete/"):
        assert admin.post(path, {"post": "yes"}).status_code == 403
    admin.post(EVENTS, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert models.Event.objects.filter(pk=row.pk).exists()
