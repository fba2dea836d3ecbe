"""The abuse of WebSockets: ended rights, foreign pages, too many, too large, too silent."""

import json
import random
import time
from collections import Counter
from contextlib import ExitStack, closing

import pytest
from websockets.exceptions import InvalidStatus

from realtime.pusher import codes
from tests.rights import Console
from tests.servers import cluster
from tests.torture.load import ms
from tests.torture.report import record
from tests.websockets import ENVIRON, Client

COMMAND = 'make torture ARGS="-k test_websockets"'
QUICK = "tests/e2e/websockets/test_connecting.py"
GOAL = 5.0
ROUNDS = 10
SOCKETS = 6
QUOTA = 20
TRIES = 300
HANDSHAKES = 1000
OVERSIZED = 200
SILENT = 50

WAYS = {
    "membership removed": "Membership.objects.filter(user=pk).delete()",
    "token deleted": "Token.objects.filter(user=pk).delete()",
    "user disabled": "User.objects.filter(pk=pk).update(is_active=False)",
    "user deleted": "User.objects.get(pk=pk).delete()",
}


@pytest.fixture
def servers(make_server, postgres, redis_server):
    """Two servers with two workers each, on one PostgreSQL and one Redis."""
    found = cluster(
        make_server,
        postgres,
        **ENVIRON,
        REDIS_URL=redis_server.url,
        REALTIME_MAX_STREAMS_PER_USER=str(QUOTA),
        REALTIME_ACTIVITY_TIMEOUT="2",
    )
    yield found
    for server in found:
        server.stop()


def ended(client, channel):
    """By what a client learns that its right has ended: the error of its channel, or a code."""
    while True:
        frame = client.next(GOAL)
        if frame["event"] == "pusher:ping":
            client.send("pusher:pong", {})
        elif frame["event"] == "pusher:subscription_error":
            assert (frame["channel"], frame["data"]["status"]) == (channel, 403)
            return


def test_ended_rights_end_subscriptions_and_sign_ins_end_connections(servers):
    delays, codes_seen, late = [], Counter(), 0
    with closing(Console(servers[0])) as console, servers[0].client() as owner, ExitStack() as all_:
        todo_list = owner.post("/api/todo-lists/", json={"name": "x"}).json()["id"]
        channel = f"private-todo-list.{todo_list}"
        for turn, code in enumerate(list(WAYS.values()) * ROUNDS):
            made = console.run("answer = make(names, pk)", names=[f"w{turn}"], pk=todo_list)
            pk, token, *_ = made[f"w{turn}"]
            clients = [
                all_.enter_context(Client(servers[n % 2], token=token)).established()
                for n in range(SOCKETS)
            ]
            for client in clients:
                client.subscribe(channel)
            signed = all_.enter_context(Client(servers[turn % 2], token=token)).established()
            signed.sign_in()
            console.run(code, pk=pk)
            begun = time.monotonic()
            for client in clients:
                ended(client, channel)
                delays.append(time.monotonic() - begun)
            if "Membership" not in code:
                codes_seen[signed.closed()] += 1
            owner.post("/api/todo-items/", json={"todo_list": todo_list, "text": "secret"})
            for client in clients:
                client.send("pusher:ping", {})
                while (frame := client.next())["event"] != "pusher:pong":
                    late += frame.get("channel") == channel
                client.close()
            signed.close()
    record(
        "A right ends, WebSocket",
        table="abuse",
        how=f"{', '.join(WAYS)}; {SOCKETS} subscriptions and one sign-in each, on two servers with"
        " two workers each, PostgreSQL and Redis",
        count=f"{len(WAYS) * ROUNDS} rights, {len(delays)} subscriptions",
        worst=f"all unsubscribed within {ms(max(delays))}; {late} heard anything later; sign-ins"
        f" closed by {dict(codes_seen)}",
        goal="unsubscribed, or 4009, within 5 s; nothing later",
        command=COMMAND,
        quick="tests/e2e/websockets/test_rights.py",
    )
    assert max(delays) <= GOAL
    assert late == 0
    assert codes_seen == {codes.UNAUTHORIZED: 3 * ROUNDS}


def origin(dice, server):
    """One of another page, perhaps one that looks almost like the server's own."""
    own = server.url
    return dice.choice(
        (
            "https://evil.example", "null", "file://", "", "*", "http://localhost",
            f"{own}.evil.example", own.replace("http", "https"), own.replace("://", "://x@"),
            f"{own}0", own.replace("127.0.0.1", "127.0.0.2"), f"{own}, https://evil.example",
        )
    )  # fmt: skip


def test_a_foreign_page_with_a_cookie_is_refused_at_the_handshake(servers):
    dice, answers, let_in = random.Random(8), Counter(), 0
    cookie = {"Cookie": "sessionid=abc"}
    for n in range(HANDSHAKES):
        server = servers[n % 2]
        try:
            Client(server, headers=cookie | {"Origin": origin(dice, server)}).close()
            let_in += 1
        except InvalidStatus as refused:
            answers[refused.response.status_code] += 1
    with Client(servers[0], headers=cookie | {"Origin": servers[0].url}) as own:
        own.established()
    record(
        "Foreign Origin with a cookie, WebSocket",
        table="abuse",
        how="handshakes with a session's cookie from pages of other origins, many almost the"
        " server's own",
        count=HANDSHAKES,
        worst=f"{let_in} let in; answers: {dict(answers)}",
        goal="refused at the handshake",
        command=COMMAND,
        quick=QUICK,
    )
    assert answers == {403: HANDSHAKES}


def test_one_user_has_no_more_connections_than_allowed(servers):
    headers = {"Authorization": f"Token {servers[0].token('bob')}"}
    answers = Counter()
    with ExitStack() as held:
        for n in range(TRIES):
            client = Client(servers[n % 2], headers=headers)
            first = client.first()
            answers[first] += 1
            if first == codes.QUOTA:
                client.close()
            else:
                held.enter_context(client)
    record(
        "Too many WebSockets",
        table="abuse",
        how=f"a user who may have {QUOTA} connects to four workers of two servers in turn",
        count=TRIES,
        worst=f"{answers['pusher:connection_established']} let in, {answers[codes.QUOTA]} closed"
        f" by {codes.QUOTA}",
        goal="4004",
        command=COMMAND,
        quick=QUICK,
    )
    assert answers == {"pusher:connection_established": QUOTA, codes.QUOTA: TRIES - QUOTA}


def test_what_is_too_large_or_too_silent_is_closed(servers):
    by_size, by_silence = Counter(), Counter()
    for n in range(OVERSIZED):
        with Client(servers[n % 2]).established() as client:
            client.socket.send(json.dumps({"event": "x", "data": "x" * (65_536 << n % 3)}))
            by_size[client.closed()] += 1
    with ExitStack() as stack:
        begun = time.monotonic()
        silent = [
            stack.enter_context(Client(servers[n % 2], ping_interval=None)).established()
            for n in range(SILENT)
        ]
        for client in silent:
            by_silence[client.closed()] += 1
        slowest = time.monotonic() - begun
    record(
        "Oversized or silent WebSocket",
        table="abuse",
        how="messages of 64 to 256 KB; clients that answer no ping (every 2 s here, 30 s by"
        " default)",
        count=f"{OVERSIZED} oversized, {SILENT} silent",
        worst=f"oversized closed by {dict(by_size)}, silent by {dict(by_silence)} within"
        f" {ms(slowest)}",
        goal="1009 / 4201",
        command=COMMAND,
        quick=QUICK,
    )
    assert by_size == {codes.TOO_BIG: OVERSIZED}
    assert by_silence == {codes.SILENT: SILENT}
