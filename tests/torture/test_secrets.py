"""What logs in is never taken from a URL, and never in a log; tickets are good once, for 30 s."""

import itertools
import random
import secrets
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.servers import cluster
from tests.torture.report import record

NAMES = (
    "token", "Token", "TOKEN", "access_token", "accessToken", "auth_token", "id_token", "auth",
    "authorization", "Authorization", "bearer", "jwt", "api_key", "apikey", "key", "secret",
    "password", "passwd", "session", "sessionid", "session_key", "t%6Fken", "csrfmiddlewaretoken",
)  # fmt: skip
FORMS = ("text/event-stream", "application/json", "text/html", "*/*")
REQUESTS = 1000
TICKETS = 100
AT_ONCE = 8
LIFETIME = 30
COMMAND = 'make torture ARGS="-k test_secrets"'


@pytest.fixture
def talkative(make_server):
    """A server that also logs every request."""
    server = make_server(GUNICORN_CMD_ARGS="--access-logfile=- --log-level=debug")
    yield server
    server.stop()


def broken(secret):
    """Requests that never get as far as to Django."""
    target = f"/api/events/?channel=private-user.1&token={secret}"
    return [
        f"GET {target} HTTP/9.9\r\nHost: x\r\n\r\n",
        f"GET {target}\r\nHost: x\r\n\r\n",
        f"G\x01T {target} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET {target} HTTP/1.1\r\nHo st: x\r\n\r\n",
        f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization : Token {secret}\r\n\r\n",
        f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Token {secret}\x00\r\n\r\n",
        f"GET {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {secret}\r\n\r\n",
        f"GET {target} HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n",
        f"GET {target} x HTTP/1.1\r\nHost: x\r\n\r\n",
    ]


def sent(port, text):
    """What comes back for the bytes of a request."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(text.encode("latin-1"))
        connection.shutdown(socket.SHUT_WR)
        chunks = []
        try:
            while chunk := connection.recv(65536):
                chunks.append(chunk)
        except ConnectionError:
            pass
        return b"".join(chunks)


def test_a_token_in_a_url_is_refused_and_no_log_has_it(talkative):
    dice = random.Random(5)
    token = talkative.token()
    secret = f"s3cr3t{secrets.token_hex(12)}"
    wrong, statuses = [], Counter()
    with httpx.Client(base_url=talkative.url, timeout=20) as client:
        for name, form in itertools.islice(
            itertools.cycle(itertools.product(NAMES, FORMS)), REQUESTS
        ):
            value = dice.choice((secret, token, f"Token%20{token}"))
            headers = {"Accept": form}
            if dice.random() < 0.5:
                headers["Authorization"] = f"Token {token}"
            url = f"/api/events/?channel=private-user.1&{name}={value}"
            status = client.get(url, headers=headers).status_code
            statuses[status] += 1
            if status != 400:
                wrong.append((url, headers, status))
        elsewhere = [
            client.get(f"/api/todo-lists/?token={token}"),
            client.get(f"/api/events/?channel=private-user.1&ticket={token}"),
            client.get("/api/todo-lists/", headers={"Authorization": f"Token {secret}"}),
            client.get("/api/todo-lists/", headers={"Authorization": f"Bearer {token}"}),
            client.get("/api/todo-lists/", headers={"Cookie": f"sessionid={secret}"}),
        ]
    refused = [answer.status_code for answer in elsewhere]
    for request in broken(secret):
        sent(talkative.port, request)
    log = talkative.log
    leaks = log.count(token) + log.count(secret)
    record(
        "Token in a URL",
        table="abuse",
        how=f"{len(NAMES)} names of parameters, with a good login beside it and without; in REST"
        " addresses; in requests that are not even HTTP. gunicorn logs each request and debugs",
        count=REQUESTS + len(elsewhere) + len(broken(secret)),
        worst=f"{len(wrong)} not refused; {leaks} times in {len(log.splitlines()):,} lines of logs",
        goal="refused, never in logs",
        command=COMMAND,
        quick="tests/e2e/test_streams.py",
    )
    assert not wrong, wrong[:5]
    assert set(refused) == {401}
    assert "GET /api/events/" in log
    assert not leaks, [line for line in log.splitlines() if token in line or secret in line][:5]


@pytest.mark.parametrize("backend", ["SQLite", "PostgreSQL"])
def test_a_ticket_is_good_once_and_for_half_a_minute(request, make_server, backend):
    postgres = request.getfixturevalue("postgres") if backend == "PostgreSQL" else None
    servers = cluster(make_server, postgres)
    with servers[0].client() as alice:

        def ticket(_):
            return alice.post("/api/events/ticket/").json()["ticket"]

        def use(server, ticket):
            url = f"{server.url}/api/events/?channel=private-user.1&ticket={ticket}"
            with httpx.stream("GET", url, timeout=30) as answer:
                return answer.status_code

        with ThreadPoolExecutor(AT_ONCE) as pool:
            old, issued = list(pool.map(ticket, range(TICKETS))), time.monotonic()
            uses = []
            for one in map(ticket, range(TICKETS)):
                uses.append(
                    Counter(
                        pool.map(
                            use,
                            itertools.islice(itertools.cycle(servers), AT_ONCE),
                            [one] * AT_ONCE,
                        )
                    )
                )
            time.sleep(max(0, issued + LIFETIME - time.monotonic()))
            late = Counter(pool.map(use, itertools.cycle(servers), old))
    twice = [use for use in uses if use != {200: 1, 401: AT_ONCE - 1}]
    log = "".join(server.log for server in servers)
    for server in servers:
        server.stop()
    record(
        f"One-use tickets ({backend})",
        table="abuse",
        how=f"each used {AT_ONCE} times at once on two servers of two workers; as many others used"
        f" for the first time after {LIFETIME} s",
        count=f"{TICKETS} + {TICKETS}",
        worst=f"{len(twice)} opened another number of streams than one; {late[200]} opened one"
        f" after {LIFETIME} s",
        goal=f"once, ≤ {LIFETIME} s",
        command=COMMAND,
        quick="tests/e2e/test_tickets.py",
    )
    assert not twice, twice[:5]
    assert late == {401: TICKETS}
    assert not any(one in log for one in old)
