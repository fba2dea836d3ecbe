"""What nobody would send by intention is a client's error, and never the server's."""

import base64
import json
import re
from io import BytesIO

import pytest
from django.db import InterfaceError, OperationalError, connection
from rest_framework.test import APIClient

from api.headers import CHARSETS, ReadableHeaders
from api.wsgi import application
from todos.models import TodoList


@pytest.fixture
def members(groceries):
    return f"/api/todo-lists/{groceries.pk}/members/"


CONTRADICTION = "x*=utf-8''a; x*0=b; x*1=c"
"""Parameters that Python's parser of headers fails to sort."""


def call(application, **headers):
    """The status and the body of a WSGI application's answer to a GET, from the very outside."""
    started = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/api/todo-items/",
        "QUERY_STRING": "search=a",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.input": BytesIO(),
        **headers,
    }
    answer = application(environ, lambda status, headers: started.append(status))
    return int(started[0][:3]), b"".join(answer)


def accepts_everything(environ, start_response):
    start_response("200 OK", [])
    return [b"reached"]


@pytest.mark.parametrize(
    "content_type",
    [
        *(
            f"application/json; charset={name}"
            for name in ("zlib", "hex", "rot13", "undefined", "punycode", "idna", "nonsense", '""')
        ),
        "text/plain; charset*0=zl; charset*1=ib",
        "text/plain; x*=nonsense''y",
        f"text/plain; {CONTRADICTION}",
    ],
)
def test_a_content_type_that_cannot_be_read_is_a_400(content_type):
    status, body = call(application, CONTENT_TYPE=content_type)
    assert status == 400
    assert json.loads(body).keys() == {"detail"}


@pytest.mark.parametrize("accept", [f"*/*; {CONTRADICTION}", "text/html, a/b; x*=nonsense''y"])
def test_an_accept_that_cannot_be_read_is_a_400(accept):
    status, body = call(application, HTTP_ACCEPT=accept)
    assert status == 400
    assert json.loads(body).keys() == {"detail"}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"CONTENT_TYPE": "", "HTTP_ACCEPT": ""},
        {"HTTP_ACCEPT": "text/html,application/xml;q=0.9,*/*;q=0.8"},
        {"CONTENT_TYPE": "multipart/form-data; boundary=x"},
        *({"CONTENT_TYPE": f"text/plain; Charset={name.upper()}"} for name in sorted(CHARSETS)),
    ],
)
def test_what_clients_send_is_let_through(headers):
    assert call(ReadableHeaders(accepts_everything), **headers) == (200, b"reached")


def test_a_part_of_a_form_that_cannot_be_read_is_a_400(api):
    part = f'Content-Disposition: form-data; name="name"; {CONTRADICTION}'
    body = f"--x\r\n{part}\r\n\r\nhello\r\n--x--\r\n"
    answer = api.generic(
        "POST", "/api/todo-lists/", body, content_type="multipart/form-data; boundary=x"
    )
    assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/", "/api/todo-lists/", "/api/events/?channel=a", "/admin/"])
def test_a_cookie_with_a_nul_is_a_400(client, db, path):
    cookie = r'sessionid="\000\000\000\000\000\000\000\000\000"'
    assert client.get(path, headers={"Cookie": cookie}).status_code == 400


@pytest.mark.parametrize("login", [b"a\0:b", b"alice:b\0", b"\xff:\xff", b"alice", b""])
def test_a_garbled_login_is_a_401(client, alice, login):
    basic = f"Basic {base64.b64encode(login).decode()}"
    answer = client.get("/api/todo-lists/", headers={"Authorization": basic})
    assert answer.status_code == 401


def test_a_login_form_with_a_nul_logs_nobody_in(client, alice):
    answer = client.post("/accounts/login/", {"username": "alice\0", "password": "realtime"})
    assert answer.status_code == 200
    assert "sessionid" not in client.cookies


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_a_write_to_an_address_without_its_slash_is_a_404(api, settings, debug, method):
    settings.DEBUG = debug
    assert getattr(api, method)("/api/todo-lists", {"name": "x"}).status_code == 404
    assert not TodoList.objects.exists()


def test_a_read_of_an_address_without_its_slash_is_redirected(api):
    assert api.get("/api/todo-lists")["Location"] == "/api/todo-lists/"


@pytest.mark.parametrize("key", ["abc", "9" * 19, "9" * 40, "9" * 5000, "-1", "0", "1e3", "\u0663"])
def test_an_unknown_object_is_json_even_in_development(api, settings, item, key):
    settings.DEBUG = True
    for kind in ("todo-items", "todo-lists"):
        answer = api.get(f"/api/{kind}/{key}/")
        assert answer.status_code == 404
        assert answer.json().keys() == {"detail"}


@pytest.mark.parametrize("key", ["1e999", "-1e999", "1.5", "true", '"1e3"', '"1.5"', "0", "-1"])
def test_a_list_is_named_by_a_whole_number(api, item, key):
    body = f'{{"todo_list": {key}}}'
    path = f"/api/todo-items/{item.pk}/"
    answer = api.patch(path, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json().keys() == {"todo_list"}


@pytest.mark.parametrize("text", ["maybe", "2", "truee", "None", " ", "tr\0ue"])
@pytest.mark.parametrize("others", [{}, {"todo_list": "1"}])
def test_what_is_neither_true_nor_false_is_refused_with_a_reason(api, item, text, others):
    answer = api.get("/api/todo-items/", {"done": text, **others})
    assert answer.status_code == 400
    assert answer.json() == {"done": ["This must be true or false."]}
    page = api.get("/api/todo-items/", {"done": text}, headers={"Accept": "text/html"})
    assert page.status_code == 400


def test_whether_items_are_done_may_be_said_in_several_ways(api, item):
    counts = {"true": 0, "TRUE": 0, "1": 0, "false": 1, "False": 1, "0": 1, "": 1}
    for text, count in counts.items():
        assert api.get("/api/todo-items/", {"done": text}).json()["count"] == count


@pytest.mark.parametrize("form", ["{}", "{}.0", " {} ", "+{}", "0{}"])
def test_every_form_of_a_number_that_filters_is_good_for_the_link_too(api, item, form):
    wanted = form.format(item.todo_list_id)
    answer = api.get("/api/todo-items/", {"todo_list": wanted})
    assert answer.json()["count"] == 1
    assert f"channel=private-todo-list.{item.todo_list_id}>" in answer["Link"]


@pytest.mark.parametrize(
    "name", ["a\0", "\ud800", "", " ", "x" * 200, 5, {"a": 1}, [1], None, True, float("inf")]
)
def test_a_member_is_named_by_the_name_of_a_user(api, members, bob, name):
    body = json.dumps({"username": name}).replace("Infinity", "1e999")
    answer = api.post(members, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json().keys() == {"username"}


@pytest.mark.parametrize("name", ["%00", "a%00b", "%ff", "x" * 200, "a%20b", "a%2Fb", "nobody"])
def test_a_member_whom_there_is_not_is_a_404(api, members, name):
    assert api.delete(f"{members}{name}/").status_code == 404


def test_a_member_may_have_every_name_that_django_allows(
    api, members, django_user_model, groceries
):
    for name in ("a@b.example", "a+b-c_d", "j\u00f6rg", "\u0430\u043b\u0438\u0441\u0430", "a.json"):
        user = django_user_model.objects.create_user(name)
        assert api.post(members, {"username": name}).status_code == 201
        assert user in groceries.members.all()
        assert api.delete(f"{members}{name}/").status_code == 204


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", ["/api/todo-items/", "/apps/1/events", "/pusher/auth"])
def test_too_many_parameters_are_the_clients_mistake(api, settings, path, debug):
    settings.DEBUG = debug
    query = "&".join(["a=1"] * 1001)
    assert api.get(f"{path}?{query}").json() == {"detail": "The request is malformed or too large."}
    assert api.post(f"{path}?{query}").status_code == 400


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("path", ["/api/todo-items/", "/api/token/", "/pusher/auth"])
def test_too_large_a_body_is_the_clients_mistake(api, settings, path, debug):
    settings.DEBUG = debug
    answer = api.generic("POST", path, b"x" * 2_700_000, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "The request is malformed or too large."}


@pytest.mark.parametrize("path", ["/api/todo-items/", "/api/token/", "/pusher/auth"])
def test_json_that_is_nested_too_deep_is_the_clients_mistake(api, path):
    answer = api.generic("POST", path, b"[" * 100_000, content_type="application/json")
    assert answer.status_code == 400


@pytest.mark.parametrize("key", ["{}%0a", "٣", "+{}", "{}.0"])
def test_an_id_is_written_in_one_way(api, groceries, key):
    key = key.replace("٣", str(groceries.pk).translate({48 + n: 0x660 + n for n in range(10)}))
    assert api.get(f"/api/todo-lists/{key.format(groceries.pk)}/").status_code == 404


def test_a_list_has_only_so_many_members(api, members, bob, django_user_model, monkeypatch):
    monkeypatch.setattr("todos.views.MAX_MEMBERS", 2)
    django_user_model.objects.create_user("carol")
    django_user_model.objects.create_user("dave")
    assert api.post(members, {"username": "bob"}).status_code == 201
    assert api.post(members, {"username": "carol"}).status_code == 201
    answer = api.post(members, {"username": "dave"})
    assert answer.status_code == 400
    assert answer.json() == {"username": ["A list has at most 2 members."]}
    assert api.post(members, {"username": "bob"}).status_code == 200, "is one already"


def test_a_user_who_is_disabled_cannot_be_added(api, members, bob):
    bob.is_active = False
    bob.save()
    assert api.post(members, {"username": "bob"}).status_code == 400


@pytest.mark.parametrize("authorization", ["Token nonsense", "Basic nonsense", "Token", "x y z"])
def test_an_old_login_does_not_keep_anybody_from_a_new_one(alice, authorization):
    login = {"username": "alice", "password": "realtime"}
    headers = {"Authorization": authorization}
    assert APIClient().post("/api/token/", login, headers=headers).status_code == 200


@pytest.mark.parametrize("body", [b"a=1&" * 2000, b'{"name": "' + b"x" * 5_000_000 + b'"}'])
def test_a_body_beyond_all_measure_is_a_400_in_json(api, body):
    kinds = {b"a": "application/x-www-form-urlencoded", b"{": "application/json"}
    answer = api.generic("POST", "/api/todo-lists/", body, content_type=kinds[body[:1]])
    assert answer.status_code == 400
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
@pytest.mark.parametrize("path", ["/api/todo-lists/", "/"])
def test_a_database_that_is_away_is_a_503_to_try_again_after(
    client, alice, monkeypatch, kind, path
):
    def fail(*args, **kwargs):
        raise kind("connection refused")

    client.force_login(alice)
    client.raise_request_exception = False
    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", fail)
        answer = client.get(path)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "1"
    assert answer.json().keys() == {"detail"}


@pytest.mark.parametrize("kind", [OperationalError, InterfaceError])
def test_while_the_database_is_away_an_eventsource_is_asked_to_come_back(
    client, alice, monkeypatch, kind
):
    """Any other status than 200 would end it for good."""

    def fail(*args, **kwargs):
        raise kind("connection refused")

    client.force_login(alice)
    url = f"/api/events/?channel=private-user.{alice.pk}"
    client.raise_request_exception = False
    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", fail)
        stream = client.get(url, headers={"Accept": "text/event-stream"})
        page = client.get(url, headers={"Accept": "application/json"})
    assert (stream.status_code, stream["Content-Type"]) == (200, "text/event-stream")
    assert re.fullmatch(rb"retry: [0-9]+\n\n", stream.content)
    assert page.status_code == 503


def test_another_failure_is_a_500(client, monkeypatch):
    monkeypatch.setattr("api.views.DocsView.get", lambda *args, **kwargs: 1 / 0)
    client.raise_request_exception = False
    answer = client.get("/api/docs/")
    assert (answer.status_code, answer.json()) == (500, {"detail": "Server error."})


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream", ""])
def test_an_address_that_there_is_not_is_a_404_in_json(client, settings, debug, accept):
    settings.DEBUG = debug
    answer = client.get("/api/nope/", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.json() == {"detail": "Not found."}


def test_a_developer_s_browser_is_shown_which_addresses_there_are(client, settings):
    settings.DEBUG = True
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    assert b"URLconf" in client.get("/api/nope/", headers=browser).content
    assert b"URLconf" in client.get("/nope/").content
    assert client.get("/api/todo-lists", headers=browser)["Location"] == "/api/todo-lists/"
