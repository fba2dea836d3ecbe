"""Tickets, for an EventSource that can send neither cookies nor headers."""

import httpx

from tests.streams import Stream


def ticket(server):
    with server.client() as alice:
        answer = alice.post("/api/events/ticket/")
        assert answer.status_code == 201
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()["ticket"]


def test_a_ticket_opens_one_stream(server):
    params = {"ticket": ticket(server)}
    with Stream(server.url, ["private-user.1"], params=params) as stream:
        stream.opened()
        params = {"channel": "private-user.1", **params}
        again = httpx.get(f"{server.url}/api/events/", params=params)
        assert again.status_code == 401
        assert "new one" in again.json()["detail"]


def test_a_ticket_expires(make_server):
    server = make_server(REALTIME_TICKET_MAX_AGE="0.000001")
    params = {"channel": "private-user.1", "ticket": ticket(server)}
    assert httpx.get(f"{server.url}/api/events/", params=params).status_code == 401


def test_a_ticket_gives_its_owners_rights_only(server):
    params = {"channel": "private-user.2", "ticket": ticket(server)}
    assert httpx.get(f"{server.url}/api/events/", params=params).status_code == 403


def test_a_stream_opened_by_ticket_ends_with_the_credential_it_came_from(server):
    made = server.shell(
        "from django.contrib.auth.models import User\n"
        "from rest_framework.authtoken.models import Token\n"
        "u = User.objects.create_user(f'dave{User.objects.count()}')\n"
        "print(u.pk, Token.objects.create(user=u).key)"
    )
    pk, token = made.split()
    headers = {"Authorization": f"Token {token}"}
    answer = httpx.post(f"{server.url}/api/events/ticket/", headers=headers)
    params = {"ticket": answer.json()["ticket"]}
    with Stream(server.url, [f"private-user.{pk}"], params=params) as stream:
        stream.opened()
        server.shell(
            "from rest_framework.authtoken.models import Token\n"
            f"Token.objects.filter(user={pk}).delete()"
        )
        assert stream.until(lambda event: event.event == "stream-error")


def test_tickets_are_for_those_who_are_logged_in(server):
    assert httpx.post(f"{server.url}/api/events/ticket/").status_code == 401


def test_a_made_up_ticket_is_none(server):
    for made_up in ("x", "", "\x00", "\N{GRINNING FACE}", "x" * 1000):
        params = {"channel": "private-user.1", "ticket": made_up}
        status = httpx.get(f"{server.url}/api/events/", params=params).status_code
        assert status in (400, 401), made_up
