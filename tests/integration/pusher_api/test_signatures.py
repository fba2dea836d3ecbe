"""Who has not signed so is refused, and nothing logged."""

import json
import time

import pytest
from django.test import Client

from realtime.signatures import App, body_md5
from tests.integration.pusher_api.asking import EVENT, NONE, ask
from tests.websockets import APP

pytestmark = pytest.mark.usefixtures("pusher_app")


def get(**changes):
    return ask("GET", "/apps/3/channels", **changes)


def post(**changes):
    return ask("POST", "/apps/3/events", EVENT, **changes)


def ago(seconds):
    return f"{time.time() - seconds:.0f}"


def test_a_good_signature_is_good(db):
    assert get().status_code == post().status_code == 200
    assert get(body_md5=body_md5(b"")).status_code == 200
    assert get(AUTH_KEY=APP.key, auth_key=NONE).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-620, 401), (-580, 200), (580, 200), (620, 401)])
def test_a_request_is_good_for_ten_minutes(db, seconds, status):
    assert get(auth_timestamp=ago(seconds)).status_code == status


@pytest.mark.parametrize(
    "changes",
    [
        {"auth_key": NONE},
        {"auth_key": "x"},
        {"auth_key": "\u00e9"},
        {"auth_version": NONE},
        {"auth_version": "2.0"},
        {"auth_timestamp": NONE},
        {"auth_timestamp": "x"},
        {"auth_timestamp": "1e9"},
        {"auth_timestamp": "9" * 5000},
        {"body_md5": NONE},
        {"body_md5": body_md5(b"x")},
        {"body_md5": "\u00e9"},
        {"send": b"{}"},
        {"send": json.dumps(EVENT | {"name": "deleted"}).encode()},
        {"app": App("3", APP.key, "another secret")},
        {"auth_signature": "0" * 64},
        {"auth_signature": ""},
        {"Auth_Key": APP.key},
    ],
)
def test_a_request_that_is_not_signed_so_is_401(journal, changes):
    answer = post(**changes)
    assert (answer.status_code, list(answer.json())) == (401, ["detail"])
    assert journal.told() == []


def test_nothing_may_be_changed_on_the_way(db):
    request = get(info="subscription_count").wsgi_request
    query = request.META["QUERY_STRING"]
    for method, path, text in (
        ("GET", "/apps/3/channels", query.replace("subscription_count", "user_count")),
        ("GET", "/apps/3/channels", query + "&filter_by_prefix=a"),
        ("GET", "/apps/3/channels/a", query),
        ("HEAD", "/apps/3/channels", query),
        ("GET", "/apps/3/channels", ""),
    ):
        assert Client().generic(method, path, QUERY_STRING=text).status_code == 401
    assert Client().generic("GET", "/apps/3/channels", QUERY_STRING=query).status_code == 200


def test_values_are_signed_unescaped(db):
    answer = get(filter_by_prefix="a=b@c")
    query = answer.wsgi_request.META["QUERY_STRING"]
    assert "a%3Db%40c" in query
    assert answer.status_code == 200
    plain = query.replace("a%3Db%40c", "a=b@c")
    assert Client().generic("GET", "/apps/3/channels", QUERY_STRING=plain).status_code == 200


def test_another_application_is_404(db, settings):
    for path in ("/apps/4/channels", "/apps/x/events", "/apps/3/nothing"):
        answer = ask("GET", path)
        assert (answer.status_code, list(answer.json())) == (404, ["detail"])
    settings.PUSHER_SECRET = ""
    assert ask("GET", "/apps/3/channels").status_code == 404
    assert ask("POST", "/users/7/terminate_connections").status_code == 404


def test_the_wrong_method_is_405(db):
    assert ask("GET", "/apps/3/events").status_code == 405
    assert ask("POST", "/apps/3/channels").status_code == 405
