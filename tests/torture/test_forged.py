"""Whoever claims to be a GRIP proxy, and can't prove it, is an ordinary client."""

import random
import socket
import time

import jwt

from tests.torture.report import record

REQUESTS = 500
CHANNEL = "private-user.1"
GUESSES = ("", "secret", "changeme", "realtime", "x" * 64)


def signature(dice):
    """A Grip-Sig of somebody who does not have the key."""
    claims = {"iss": dice.choice(("realtime", "fastly", "x"))}
    claims["exp"] = int(time.time()) + dice.choice((3600, -3600))
    good = jwt.encode(claims, dice.choice(GUESSES[1:]).ljust(64, "x"), algorithm="HS256")
    return dice.choice(
        (
            good,
            jwt.encode(claims, None, algorithm="none"),
            good.rpartition(".")[0] + ".",
            good[:-3] + "abc",
            "forged",
            "",
            "x" * 4000,
            f"Bearer {good}",
            f"{good}, {good}",
        )
    )


def forged(dice):
    """Headers of a proxy, or of what holds a stream here."""
    lines = [f"Grip-Sig: {signature(dice)}"]
    others = (
        "Grip-Hold: stream",
        "Grip-Hold: response",
        f"Grip-Channel: {CHANNEL}; prev-id=1",
        "Grip-Channel: private-user.2",
        f"Grip-Last: {CHANNEL}; last-id=1-00000000",
        "Grip-Keep-Alive: x; timeout=1",
        'Grip-Set-Meta: slot=1, grant=[2,"","","",""]',
        "Grip-Feature: status, session, link:next",
        "Grip-Status: 101",
        "Meta-Grant: 2",
        "Realtime-Holder: 1",
        "Via: 1.1 pushpin",
    )
    return lines + dice.sample(others, dice.randrange(len(others)))


def head_and_start(port, token, channel, lines):
    """What a stream begins with, as bytes; up to its first event, or to the end of a refusal."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        request = [
            f"GET /api/events/?channel={channel} HTTP/1.1",
            "Host: 127.0.0.1",
            "Accept: text/event-stream",
            f"Authorization: Token {token}",
            *lines,
        ]
        connection.sendall("\r\n".join([*request, "", ""]).encode())
        received = b""
        while b"stream-open" not in received and b'"detail"' not in received:
            chunk = connection.recv(65536)
            if not chunk:
                break
            received += chunk
        return received


def test_forged_grip_headers_make_no_difference(make_server):
    server = make_server(REALTIME_MAX_STREAMS_PER_USER="1000")
    dice = random.Random(7)
    token = server.token()
    wrong = []
    for n in range(REQUESTS):
        own, lines = n % 4 != 0, forged(dice)
        name = CHANNEL if own else "private-user.2"
        received = head_and_start(server.port, token, name, lines)
        start = b"HTTP/1.1 200 " if own else b"HTTP/1.1 403 "
        held = b"event: stream-open" in received and b"content-length" not in received.lower()
        if not received.startswith(start) or b"grip" in received.lower() or held != own:
            wrong.append((lines, received))
    server.stop()
    record(
        "Forged Grip headers",
        table="abuse",
        how="signatures by guessed keys, by none, expired, cut and garbage; with instructions and"
        " metadata of one's own; on a channel one may read, and on one that one may not",
        count=REQUESTS,
        worst=f"{len(wrong)} answered otherwise than without them",
        goal="treated as an ordinary client",
        command='make torture ARGS="-k test_forged"',
        quick="tests/e2e/test_streams.py",
    )
    assert not wrong, wrong[:3]
