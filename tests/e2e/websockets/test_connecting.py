"""Who is let in, and for how long, by a client that knows nothing of Pusher but the protocol."""

import json
import re

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from realtime.pusher import codes
from tests.servers import wait_until
from tests.websockets import APP, ENVIRON, Client

PATH = f"/app/{APP.key}"


# Handshake


def test_the_first_frame_names_the_connection(connect):
    frame = connect().next()
    assert frame["event"] == "pusher:connection_established"
    data = json.loads(frame["data"])
    assert re.fullmatch(r"\d+\.\d+", data["socket_id"])
    assert data["activity_timeout"] == 30


def test_without_an_application_it_is_said_after_accepting(make_server):
    with Client(make_server()) as client:
        assert client.closed() == codes.NO_APP


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/app/unknown?protocol=7", codes.NO_APP),
        (f"{PATH}?client=js", codes.NO_VERSION),
        (f"{PATH}?protocol=", codes.NO_VERSION),
        (f"{PATH}?protocol=seven", codes.BAD_VERSION),
        (f"{PATH}?protocol=7.0", codes.BAD_VERSION),
        (f"{PATH}?protocol=8", codes.UNSUPPORTED_VERSION),
        (f"{PATH}?protocol=%ff", codes.BAD_VERSION),
        (f"{PATH}?protocol=7&x=%00", codes.BAD_VERSION),
        (f"{PATH}?protocol=7&token=abc", codes.BAD_VERSION),
        ("/nowhere", codes.NO_PATH),
        ("/app/", codes.NO_PATH),
        ("/", codes.NO_PATH),
        ("/api/schema/", codes.NO_PATH),
    ],
)
def test_who_can_t_be_talked_to_is_told_why_after_accepting(connect, path, code):
    assert connect(path=path).closed() == code


def test_without_an_upgrade_there_is_nothing_to_read(app_server):
    answer = httpx.get(f"{app_server.url}{PATH}?protocol=7")
    assert answer.status_code == 426
    assert answer.headers["upgrade"] == "websocket"
    assert "WebSocket" in answer.json()["detail"]
    assert httpx.post(f"{app_server.url}{PATH}").status_code == 426


COOKIE = {"Cookie": "theme=dark; sessionid=abc"}


def test_a_foreign_page_may_not_bring_a_session(connect, app_server):
    for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}):
        with pytest.raises(InvalidStatus) as refused:
            connect(headers=headers | COOKIE)
        assert refused.value.response.status_code == 403
        connect(headers=headers | {"Cookie": "theme=dark"}).established()
    connect(headers={"Origin": app_server.url} | COOKIE).established()
    connect(headers=COOKIE).established()


def test_bad_credentials_are_as_good_as_none(connect):
    connect(headers={"Authorization": "Token nonsense"}).established()


def test_a_cookie_gives_no_right(connect, app_server):
    with httpx.Client(base_url=app_server.url, follow_redirects=True) as browser:
        browser.get("/accounts/login/")
        form = {"username": "alice", "password": "realtime"}
        headers = {"X-CSRFToken": browser.cookies["csrftoken"], "Referer": app_server.url}
        browser.post("/accounts/login/", data=form, headers=headers)
        cookie = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
    client = connect(headers=cookie).established()
    client.ask("private-user.1", auth="")
    assert client.next()["data"]["status"] == 401


def test_connections_are_counted_against_the_quota(make_server):
    server = make_server(**ENVIRON, REALTIME_MAX_STREAMS_PER_USER="2")
    headers = {"Authorization": f"Token {server.token()}"}

    def is_let_in():
        with Client(server, headers=headers) as client:
            first = client.first()
            assert first in ("pusher:connection_established", codes.QUOTA)
            return first != codes.QUOTA

    with Client(server, headers=headers) as one, Client(server, headers=headers) as two:
        one.established()
        two.established()
        assert not is_let_in()
        with Client(server) as stranger:
            stranger.established()
    wait_until(is_let_in, "the two to be counted no more")


# Liveness


def test_a_ping_is_answered_with_the_position(connect):
    client = connect().established()
    client.send("pusher:ping", {})
    frame = client.next()
    assert (frame["event"], frame["data"]) == ("pusher:pong", "{}")
    seq, _, nonce = frame["id"].partition("-")
    assert re.fullmatch(r"\w{8}", nonce)
    for further, told in ((0, True), (10**6, False)):
        client.send("pusher:ping", {"last_event_id": f"{int(seq) + further}-{nonce}"})
        assert ("id" in client.next()) == told


def test_who_falls_silent_is_pinged_and_then_sent_away(make_server):
    server = make_server(**ENVIRON, REALTIME_KEEP_ALIVE="1", REALTIME_ACTIVITY_TIMEOUT="1")
    with Client(server) as silent, Client(server) as lively:
        assert json.loads(silent.next()["data"])["activity_timeout"] == 1
        lively.established()
        assert silent.next()["event"] == "pusher:ping"
        lively.until("pusher:ping")
        lively.send("pusher:pong", {})
        assert silent.closed() == codes.SILENT
        lively.send("pusher:ping", {})
        lively.until("pusher:pong")
