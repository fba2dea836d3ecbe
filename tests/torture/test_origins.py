"""Pages of other origins: exactly those that are configured, whatever is asked and answered."""

import random
from collections import Counter
from urllib.parse import urlsplit

import httpx

from tests.torture.report import record

ALLOWED = ("https://app.example", "http://localhost:5173")
REQUESTS = 3000


def origin(dice):
    """One that is allowed, or looks like it."""
    good = dice.choice(ALLOWED)
    return dice.choice(
        (
            good,
            good
            + dice.choice((".evil.example", ":444", "/", "/x", "@evil.example", "%00", ";", ",")),
            good.replace("://", dice.choice(("://evil.", "://evil-", "://x@", ":///", ":"))),
            good.upper().replace("HTTP", "http"),
            good.replace("https", "http") if "https" in good else good.replace("http", "https"),
            good.replace("e", "е", 1).encode().decode("latin-1"),  # noqa: RUF001 - Cyrillic
            f"{good}, https://evil.example",
            f"https://evil.example, {good}",
            dice.choice(
                ("null", "*", "https://*", "file://", "evil.example", "https://evil.example")
            ),
        )
    )


def is_allowed(sender):
    """Of a path, which no browser sends, nothing depends."""
    scheme, host, *_ = urlsplit(sender)
    return f"{scheme}://{host}" in ALLOWED


def ask(client, dice, token, sender):
    """An answer of any kind, to a request with an origin."""
    headers = {"Origin": sender.encode("latin-1")}
    if dice.random() < 0.7:
        headers["Authorization"] = f"Token {dice.choice((token, token, 'wrong'))}"
    if dice.random() < 0.2:
        headers["Access-Control-Request-Method"] = "PATCH"
        return client.options(f"/api/{dice.choice(('todo-lists', 'events'))}/", headers=headers)
    path = dice.choice(
        (
            "todo-lists/", "todo-lists/1/", "todo-lists/999/", "todo-items/?limit=x", "token/",
            "nothing/", "events/?channel=private-user.1", "events/?channel=private-user.2",
            "events/?channel=%00", "events/", "schema/",
        )
    )  # fmt: skip
    method = dice.choice(("GET", "GET", "POST", "DELETE")) if path == "todo-lists/999/" else "GET"
    with client.stream(method, f"/api/{path}", headers=headers) as answer:
        return answer


def test_only_the_origins_that_are_configured_may_read(make_server):
    server = make_server(CORS_ALLOWED_ORIGINS=",".join(ALLOWED), REALTIME_MAX_STREAMS_PER_USER="5")
    dice = random.Random(6)
    token = server.token()
    wrong, allowed, statuses = [], 0, Counter()
    with httpx.Client(base_url=server.url, timeout=20) as client:
        for _ in range(REQUESTS):
            sender = origin(dice)
            answer = ask(client, dice, token, sender)
            statuses[answer.status_code] += 1
            given = answer.headers.get("access-control-allow-origin")
            varies = "origin" in answer.headers.get("vary", "").lower()
            allowed += given is not None
            if given != (sender if is_allowed(sender) else None) or not varies:
                wrong.append((answer.request.url, sender, answer.status_code, dict(answer.headers)))
    server.stop()
    shown = ", ".join(f"{status}: {count:,}" for status, count in sorted(statuses.items()))
    record(
        "CORS with credentials",
        table="abuse",
        how="origins that are allowed or almost so, in reads, writes, streams, preflights and"
        " refusals of all kinds",
        count=REQUESTS,
        worst=f"{len(wrong)} without `Vary: Origin`, with another origin than the sender's, or for"
        f" one that is not allowed; {allowed:,} allowed. Answers: {shown}",
        goal="exact origin and `Vary: Origin`, never `*`",
        command='make torture ARGS="-k test_origins"',
        quick="tests/e2e/test_cors.py",
    )
    assert not wrong, wrong[:5]
    assert max(statuses) < 500
