"""``/healthz`` and ``/metrics`` in one process: what they say, and to whom."""

import asyncio
import json
import time
from types import SimpleNamespace

import psycopg
import pytest
from django.db import OperationalError

from realtime import meters, sequencer
from realtime.events import EventId
from realtime.hub import Hub
from realtime.operations import endpoints
from realtime.pulse import Pulse

TOKEN = "a-token-of-these-tests"


def at(seq):
    return EventId(seq, "n" * 8)


@pytest.fixture
def worker():
    """As much of one as is looked at."""
    pulse = Pulse()
    pulse.see(at(5), at(0), 5)
    return SimpleNamespace(pulse=pulse, hub=Hub(at(5)))


def ask(worker, path="/healthz", method="GET", authorization=None):
    scope = {"path": path, "method": method, "headers": []}
    if authorization:
        scope["headers"].append((b"authorization", authorization.encode()))
    return endpoints.answer(scope, worker)


def failing(worker):
    answer = ask(worker)
    told = json.loads(answer.body)
    failing = {part: state["reason"] for part, state in told["checks"].items() if "reason" in state}
    assert set(told["checks"]) == {"database", "log", "broker"}
    assert answer.status == (503 if failing else 200)
    assert told["status"] == ("failing" if failing else "ok")
    return failing


def database_error(kind=psycopg.OperationalError):
    error = OperationalError('connection to "10.1.2.3" failed for user "secret-name"')
    error.__cause__ = kind("of psycopg")
    return error


def test_all_is_well(worker):
    assert failing(worker) == {}


def test_a_process_that_waits_for_its_database_says_so():
    assert set(failing(None)) == {"database", "log", "broker"}


def test_a_database_that_has_not_answered_for_long_fails(worker):
    worker.pulse.answered -= 10
    assert set(failing(worker)) == {"database"}


def test_a_moment_s_silence_is_no_failure(worker):
    worker.pulse.answered -= 2
    worker.pulse.finished -= 2
    assert failing(worker) == {}


def test_an_error_fails_sooner_and_one_that_passes_at_once_does_not(worker):
    worker.pulse.fail(database_error())
    assert failing(worker) == {}
    worker.pulse.answered -= 2
    worker.pulse.finished -= 2
    assert set(failing(worker)) == {"database", "log"}


@pytest.mark.parametrize(("kind", "word"), [
    (psycopg.errors.InvalidPassword, "login"),
    (psycopg.errors.TooManyConnections, "connections"),
    (psycopg.errors.ReadOnlySqlTransaction, "writes"),
    (psycopg.errors.UndefinedTable, "migrated"),
    (psycopg.OperationalError, "reached"),
])  # fmt: skip
def test_what_a_database_says_is_put_into_words_without_names(worker, kind, word):
    worker.pulse.fail(database_error(kind))
    worker.pulse.answered -= 2
    reason = failing(worker)["database"]
    assert word in reason
    assert "secret" not in reason
    assert "10.1.2.3" not in reason


def test_a_sequencer_that_does_not_get_through_a_round_fails_the_log(worker):
    worker.pulse.finished -= 10
    assert set(failing(worker)) == {"log"}


def test_a_hub_that_stays_behind_fails_the_log(worker):
    now = [time.monotonic()]
    worker.pulse._clock = lambda: now[0]
    worker.pulse.see(at(7), at(0), 5)
    now[0] += 10
    worker.pulse.answer()
    worker.pulse.finish()
    assert "behind" in failing(worker)["log"]
    worker.hub.position = at(7)
    assert failing(worker) == {}


def test_a_broker_in_trouble_fails(worker, monkeypatch):
    monkeypatch.setattr(sequencer.broker(), "trouble", lambda: "It is away.")
    assert failing(worker) == {"broker": "It is away."}


@pytest.mark.parametrize("path", ["/healthz", "/healthz/"])
def test_it_is_only_read(worker, path):
    assert ask(worker, path).status == 200
    assert ask(worker, path, "HEAD").status == 200
    refused = ask(worker, path, "POST")
    assert refused.status == 405
    assert (b"allow", b"GET, HEAD") in refused.headers


def test_other_addresses_are_django_s(worker):
    for path in ("/", "/health", "/healthz/x", "/metrics/x", "/api/healthz"):
        assert ask(worker, path) is None


def test_metrics_are_for_who_has_the_token(worker, settings):
    assert ask(worker, "/metrics", authorization=f"Bearer {TOKEN}") is None
    settings.REALTIME_METRICS_TOKEN = TOKEN
    answer = ask(worker, "/metrics", authorization=f"Bearer {TOKEN}")
    assert answer.status == 200
    assert b"\nrealtime_log_size 5.0\n" in answer.body
    for wrong in (None, TOKEN, "Bearer ", "Bearer x", f"Token {TOKEN}", f"Bearer {TOKEN}x"):
        assert ask(worker, "/metrics", authorization=wrong) is None


@pytest.mark.django_db
def test_who_has_none_must_be_staff(client, django_user_model, settings):
    assert client.get("/metrics").status_code == 401
    user = django_user_model.objects.create_user("carol", password="x")
    client.force_login(user)
    assert client.get("/metrics").status_code == 403
    user.is_staff = True
    user.save()
    page = client.get("/metrics")
    assert page.status_code == 200
    assert page["Content-Type"].startswith("text/plain; version=0.0.4")
    assert b"# TYPE realtime_connections gauge" in page.content
    client.logout()
    settings.DEBUG = True
    assert client.get("/metrics").status_code == 200


@pytest.mark.django_db
def test_who_comes_with_a_wrong_token_is_told_so(client, settings):
    headers = {"Authorization": "Bearer a-wrong-token-of-theirs"}
    for token, told in ((None, "There is no"), ("a-token-of-theirs", "is not the")):
        if token:
            settings.REALTIME_METRICS_TOKEN = token
        answer = client.get("/metrics", headers=headers)
        assert answer.status_code == 401
        assert told in answer.json()["detail"]
        assert answer["WWW-Authenticate"] == 'Bearer realm="metrics"'


def test_so_is_who_does_not_get_to_a_page_for_staff(settings):
    wrong = "Bearer a-wrong-token-of-theirs"

    def refused(status=404, path="/metrics", authorization=wrong):
        headers = [(b"authorization", authorization.encode())] if authorization else []
        return endpoints.refusal({"path": path, "headers": headers}, status)

    # There is no such address without a token.
    assert refused() is None
    settings.REALTIME_METRICS_TOKEN = TOKEN
    for status in (301, 400, 404):
        answer = refused(status)
        assert answer.status == 401
        assert "is not the REALTIME_METRICS_TOKEN" in json.loads(answer.body)["detail"]
        assert (b"www-authenticate", b'Bearer realm="metrics"') in answer.headers
    # What a view for staff says of a token, and what others are answered, is theirs.
    assert not any(refused(status) for status in (200, 401, 403, 405, 501))
    assert refused(path="/metric") is None
    assert not any(refused(authorization=one) for one in (None, f"Token {TOKEN}", "Bea"))


@pytest.mark.parametrize("token", ["short", "with a space in the middle", "ümlaut-ümlaut-ümlaut"])
def test_a_token_that_can_be_guessed_or_not_be_sent_ends_the_start(token):
    from django.core.exceptions import ImproperlyConfigured

    from api.env import Environment

    with pytest.raises(ImproperlyConfigured) as caught:
        Environment({"METRICS_TOKEN": token}).token("METRICS_TOKEN")
    assert token not in str(caught.value)


def test_a_silent_server_is_a_broker_in_trouble(redis_server):
    from realtime import brokers

    async def main():
        broker = brokers.connect(redis_server.url, "topic-of-test-health")
        assert "not been reached" in broker.trouble()
        async with broker.listen() as batches:
            await anext(batches)
            assert broker.trouble() == ""
            before = meters.values[meters.BROKER_MESSAGES.slot("received")]
            broker.heard -= 10
            assert "said nothing" in broker.trouble()
            assert meters.values[meters.BROKER_MESSAGES.slot("received")] == before

    asyncio.run(main())
