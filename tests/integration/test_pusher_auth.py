"""Who asks for a signature gets it by the rights of streams, and it ends with their grounds."""

import base64
import hashlib
import json

import pytest
from django.test import Client
from rest_framework.authtoken.models import Token
from rest_framework.test import APIClient

import realtime
from realtime.exceptions import AlreadyRegistered
from realtime.presence import profiles
from realtime.rights import authorizations
from realtime.rights.grants import users
from tests.pushers import library
from tests.websockets import APP

pytestmark = pytest.mark.usefixtures("pusher_app")

AUTH, USER_AUTH = "/pusher/auth", "/pusher/user-auth"
FOREIGN = "https://evil.example"


@pytest.fixture
def browser(alice):
    """Logged in by a cookie; CSRF is checked, as outside of tests."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    return client


@pytest.fixture
def hooks(monkeypatch):
    monkeypatch.setattr(profiles, "_declared", {})


def form(name, socket_id="123.456"):
    return {"socket_id": socket_id, "channel_name": name}


def expected(name, **options):
    """What the library says that the answer must be."""
    return library(APP).authenticate(name, "123.456", **options)


def by_token(user, keyword="Token"):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"{keyword} {Token.objects.create(user=user).key}")
    return client


def by_password(user):
    client = APIClient()
    login = base64.b64encode(f"{user.username}:realtime".encode()).decode()
    client.credentials(HTTP_AUTHORIZATION=f"Basic {login}")
    return client


# Channels


@pytest.mark.parametrize("path", [AUTH, "/broadcasting/auth"])
def test_a_private_channel_is_signed_as_pushers_library_does(browser, channel, path):
    answer = browser.post(path, form(channel))
    assert (answer.status_code, answer.json()) == (200, expected(channel))
    assert answer["Cache-Control"] == "no-store"


def test_who_asks_may_be_known_in_any_way(alice, browser, channel):
    clients = [browser, by_token(alice), by_password(alice)]
    for client in clients:
        answer = client.post(AUTH, form(channel))
        assert answer.json() == expected(channel)
        # Its grounds are those of that login.
        grant = authorizations.grant_for(answer.json()["auth"])
        assert users([grant]) == {grant: alice}
    Token.objects.all().delete()
    assert users([grant]) == {grant: alice}
    assert browser.post(AUTH, form(channel)).status_code == 200


def test_a_signature_ends_with_the_login_that_it_was_asked_for_by(alice, browser, channel):
    token = by_token(alice)
    grants = []
    for client, end in ((token, Token.objects.all().delete), (browser, browser.logout)):
        auth = client.post(AUTH, form(channel)).json()["auth"]
        grants.append(authorizations.grant_for(auth))
        assert users(grants[-1:])
        end()
        assert not users(grants[-1:])


def test_a_bearer_token_is_a_token(alice, channel):
    assert by_token(alice, "Bearer").post(AUTH, form(channel)).json() == expected(channel)


def test_the_body_may_be_json(alice, channel, client_of):
    answer = client_of(alice).post(AUTH, form(channel), format="json")
    assert answer.json() == expected(channel)


def test_a_member_of_a_presence_channel_shows_its_name(alice, groceries, browser):
    name = f"presence-todo-list.{groceries.pk}"
    answer = browser.post(AUTH, form(name)).json()
    member = {"user_id": str(alice.pk), "user_info": {"name": "alice"}}
    assert json.loads(answer["channel_data"]) == member
    assert answer["auth"] == APP.channel_auth("123.456", name, answer["channel_data"])


def test_an_application_says_what_a_user_shows(alice, groceries, browser, hooks):
    @realtime.user_info
    def shown(user):
        return {"initial": user.username[0]}

    @realtime.watchlist
    def friends(user):
        return [5, "x"]

    name = f"presence-todo-list.{groceries.pk}"
    member = json.loads(browser.post(AUTH, form(name)).json()["channel_data"])
    assert member["user_info"] == {"initial": "a"}
    data = json.loads(browser.post(USER_AUTH, {"socket_id": "1.2"}).json()["user_data"])
    assert data["user_info"] == {"initial": "a"}
    assert data["watchlist"] == ["5", "x"]
    with pytest.raises(AlreadyRegistered):
        realtime.user_info(shown)


@pytest.fixture
def encrypted():
    """The registry's rule for a channel, for the time of a test."""
    from realtime.channels import registry

    name = "private-encrypted-test"
    registry.add(name, lambda user: True)
    yield name
    del registry._rules[name]


def test_an_encrypted_channel_has_a_secret_that_pushers_library_shares(
    browser, encrypted, settings
):
    key = hashlib.sha256(b"test").digest()
    settings.PUSHER_ENCRYPTION_MASTER_KEY = key
    answer = browser.post(AUTH, form(encrypted)).json()
    options = {"encryption_master_key_base64": base64.b64encode(key).decode()}
    theirs = library(APP, **options).authenticate(encrypted, "123.456")
    # 3.3.4 answers with bytes, which are not JSON.
    assert answer == theirs | {"shared_secret": theirs["shared_secret"].decode()}


def test_without_a_master_key_there_are_no_encrypted_channels(browser, encrypted):
    answer = browser.post(AUTH, form(encrypted))
    assert answer.status_code == 400
    assert "PUSHER_ENCRYPTION_MASTER_KEY" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["private-todo-list.{}", "presence-todo-list.{}", "private-x"])
def test_no_right_is_403_whether_or_not_there_is_such_a_channel(bob, groceries, client_of, name):
    answer = client_of(bob).post(AUTH, form(name.format(groceries.pk)))
    assert answer.status_code == 403
    assert answer.json() == {"detail": "You may not subscribe to this channel."}


# Users


@pytest.mark.parametrize("path", [USER_AUTH, "/broadcasting/user-auth"])
def test_a_user_is_signed_as_pushers_library_does(alice, browser, path):
    answer = browser.post(path, {"socket_id": "123.456"})
    data = {"id": str(alice.pk), "user_info": {"name": "alice"}}
    theirs = library(APP).authenticate_user("123.456", data)
    assert answer.status_code == 200
    assert json.loads(answer.json()["user_data"]) == json.loads(theirs["user_data"])
    assert answer.json()["auth"] == APP.user_auth("123.456", answer.json()["user_data"])
    grant = authorizations.grant_for(answer.json()["auth"])
    assert users([grant]) == {grant: alice}


# Everybody else


@pytest.mark.parametrize("path", [AUTH, USER_AUTH])
def test_who_is_not_logged_in_is_401(db, channel, path):
    assert Client().post(path, form(channel)).status_code == 401
    stale = APIClient()
    stale.credentials(HTTP_AUTHORIZATION="Token x")
    assert stale.post(path, form(channel)).status_code == 401


def test_a_page_of_another_origin_may_not_ask_by_cookie(alice, browser, channel, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    for path in (AUTH, USER_AUTH):
        for origin in (FOREIGN, "null", "http://testserver.evil.example", "https://testserver"):
            assert browser.post(path, form(channel), HTTP_ORIGIN=origin).status_code == 403
        for origin in ("http://testserver", "https://app.example"):
            assert browser.post(path, form(channel), HTTP_ORIGIN=origin).status_code == 200
    # A token is not sent by mistake.
    answer = by_token(alice).post(AUTH, form(channel), HTTP_ORIGIN=FOREIGN)
    assert answer.status_code == 200


def test_only_allowed_origins_may_read_the_answer(browser, channel, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
    header = "Access-Control-Allow-Origin"
    for path in (AUTH, "/broadcasting/user-auth"):
        for origin, allowed in (("https://app.example", True), (FOREIGN, False)):
            for answer in (
                browser.post(path, form(channel), HTTP_ORIGIN=origin),
                browser.options(
                    path, HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST"
                ),
            ):
                assert (answer.get(header) == origin) is allowed
    assert header not in browser.post("/apps/3/events", HTTP_ORIGIN="https://app.example")


@pytest.mark.parametrize(
    ("name", "socket_id"),
    [
        ("private-user.1", ""),
        ("private-user.1", "1"),
        ("private-user.1", "1.2:private-user.2"),
        ("private-user.1", "1.2\n"),
        ("private-user.1", "1." + "2" * 31),
        ("", "1.2"),
        ("news", "1.2"),
        ("#server-to-user-1", "1.2"),
        ("private-a b", "1.2"),
        ("private-" + "x" * 160, "1.2"),
    ],
)
def test_what_nobody_can_subscribe_by_is_400(browser, name, socket_id):
    answer = browser.post(AUTH, form(name, socket_id))
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


@pytest.mark.parametrize("body", ["", "[]", "5", "{", '{"socket_id":["1.2"]}', "[" * 100_000])
def test_a_bad_body_is_400(browser, body):
    for path in (AUTH, USER_AUTH):
        answer = browser.post(path, body, content_type="application/json")
        assert (answer.status_code, list(answer.json())) == (400, ["detail"])


def test_errors_are_json(browser, settings):
    assert browser.get(AUTH).status_code == 405
    assert browser.post(AUTH, "x", content_type="text/plain").status_code == 415
    assert browser.get("/pusher/nothing").json() == {"detail": "Not found."}
    settings.PUSHER_KEY = ""
    assert browser.post(AUTH, form("private-user.1")).status_code == 404
