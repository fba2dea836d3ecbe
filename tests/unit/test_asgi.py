"""Whose GRIP headers pass between clients, proxies and Django."""

import asyncio
import json
import time

import jwt
import pytest

from realtime.asgi import RealtimeApplication

KEY = "a key of as many letters as it takes"


def echo(environ, start_response):
    """Answers with the GRIP headers that it gets, and has one."""
    got = {name: value for name, value in environ.items() if "GRIP" in name}
    start_response("200 OK", [("Grip-Status", "201"), ("Vary", "Accept")])
    return [json.dumps(got).encode()]


def ask(headers):
    """What `echo` got of these request headers, and the headers of its answer as they come back."""
    sent = []

    async def receive():
        return {"type": "http.request"}

    async def send(message):
        sent.append(message)

    async def call():
        application = RealtimeApplication(echo)
        application._worker = object()
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": "/",
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
        await application(scope, receive, send)

    asyncio.run(call())
    names = [name for name, _ in sent[0]["headers"] if name != b"x-request-id"]
    return json.loads(sent[1]["body"]), names


def signature(key=KEY):
    return "grip-sig", jwt.encode({"exp": time.time() + 60}, key)


@pytest.fixture(autouse=True)
def _proxy(settings):
    settings.REALTIME_GRIP_URL = f"http://127.0.0.1:1?key={KEY}"


@pytest.mark.parametrize("forged", [[], [signature(KEY[::-1])], [signature(), signature()]])
def test_grip_headers_neither_come_from_a_client_nor_go_to_one(forged):
    got, answered = ask([("grip-last", "a; last-id=1"), ("grip-feature", "x"), *forged])
    assert got == {}
    assert answered == [b"vary"]


def test_they_come_from_a_proxy_and_go_to_it():
    got, answered = ask([("grip-last", "a; last-id=1"), signature()])
    assert got["HTTP_GRIP_LAST"] == "a; last-id=1"
    assert answered == [b"grip-status", b"vary"]


def test_without_a_proxy_no_signature_counts(settings):
    del settings.REALTIME_GRIP_URL
    assert ask([signature()]) == ({}, [b"vary"])
