"""Connections that are ended from elsewhere, by the admin's list of them."""

import re
from contextlib import closing

import httpx
import pytest

from tests.e2e.operations.conftest import lines, outsider, well
from tests.servers import DEADLINE, wait_until
from tests.streams import Stream
from tests.websockets import Client


@pytest.fixture
def admin(server):
    """The admin's list of connections, as a superuser has it."""
    with httpx.Client(base_url=server.url, timeout=DEADLINE, follow_redirects=True) as client:
        client.get("/admin/login/")
        post(client, "/admin/login/", username="root", password="realtime")
        yield client


def post(client, path, **data):
    data["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
    answer = client.post(path, data=data, headers={"Referer": str(client.base_url)})
    answer.raise_for_status()
    return answer.text


def connected(admin, name):
    page = admin.get("/admin/realtime/stream/", params={"q": name}).text
    return re.findall(r'name="_selected_action" value="(\d+)"', page)


def order(admin, server, action, name, count):
    """Ends the connections of somebody, once the list has all."""
    wait_until(lambda: len(connected(admin, name)) == count, "the list to be complete")
    chosen = connected(admin, name)
    return post(admin, "/admin/realtime/stream/", action=action, _selected_action=chosen)


def test_a_kick_ends_connections_on_every_worker_and_they_may_come_back(server, streams, admin):
    well(server)
    opened = streams("alice")
    order(admin, server, "kick", "alice", len(opened))
    for stream in opened:
        assert stream.rest()[-1].retry
    with closing(Stream(server.url, ["private-todo-list.1"], token=server.token())) as stream:
        stream.opened()
    reasons = [line["reason"] for line in lines(server) if "reason" in line]
    assert reasons.count("kicked") >= len(opened)


def test_a_kick_closes_a_websocket_that_shows_its_channels(server, admin):
    well(server)
    with Client(server, token=server.token("bob")) as client:
        client.established()
        client.subscribe("private-todo-list.1")
        found = "private-todo-list.1"
        wait_until(lambda: len(connected(admin, found)) == 1, "the socket's channels to be known")
        order(admin, server, "kick", found, 1)
        assert client.closed() == 4100


def test_a_revoked_token_is_over_everywhere(server, streams, admin):
    well(server)
    token = server.token("bob")
    opened = streams("bob")
    # One of them is enough: the others rest on the same token.
    wait_until(lambda: len(connected(admin, "bob")) == len(opened), "the list to be complete")
    chosen = connected(admin, "bob")[:1]
    post(admin, "/admin/realtime/stream/", action="revoke", _selected_action=chosen)
    for stream in opened:
        assert stream.rest()[-1].event == "stream-error"
    headers = {"Authorization": f"Token {token}"}
    answer = outsider.get(f"{server.url}/api/todo-lists/", headers=headers)
    assert answer.status_code == 401
