"""REST, as CONTRACT promises it."""

import re

import pytest
from django.core.cache import cache
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from tests.integration.conftest import Journal
from todos.models import TodoItem, TodoList

HUGE = "9" * 40


@pytest.fixture
def url(groceries):
    return f"/api/todo-lists/{groceries.pk}/"


def test_who_creates_a_list_owns_it(api, alice):
    answer = api.post("/api/todo-lists/", {"name": "New", "owner": 99, "members": [99]})
    assert answer.status_code == 201
    body = answer.json()
    assert body["owner"] == {"id": alice.pk, "username": "alice"}
    assert body["members"] == []
    assert list(body) == [
        "id", "name", "description", "owner", "members", "created_at", "updated_at",
    ]  # fmt: skip


def test_lists_are_seen_by_their_owner_and_members_only(api, bobs, bob, url, groceries):
    assert api.get(url).status_code == 200
    assert bobs.get(url).status_code == 404
    assert bobs.get("/api/todo-lists/").json()["count"] == 0
    groceries.members.add(bob)
    assert bobs.get(url).status_code == 200
    assert bobs.get("/api/todo-lists/").json()["count"] == 1


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "post"])
def test_somebody_elses_object_does_not_exist(bobs, url, item, method):
    for path in (url, f"/api/todo-items/{item.pk}/", f"{url}members/bob/", f"{url}members/"):
        expected = 405 if method == "post" and not path.endswith("members/") else 404
        if "members/" in path and method not in ("post", "delete"):
            expected = 405
        if path.endswith("members/") and method == "delete":
            expected = 405
        if path.endswith("members/bob/") and method == "post":
            expected = 405
        assert getattr(bobs, method)(path, {"name": "x"}).status_code == expected, path


def test_members_edit_a_list_and_only_the_owner_deletes_it(api, bobs, bob, url, groceries):
    groceries.members.add(bob)
    assert bobs.patch(url, {"name": "Bob was here"}).status_code == 200
    assert bobs.delete(url).status_code == 403
    assert api.delete(url).status_code == 204


def test_sharing(api, bobs, bob, url):
    members = f"{url}members/"
    first = api.post(members, {"username": "bob"})
    assert first.status_code == 201
    assert first.json()["members"] == [{"id": bob.pk, "username": "bob"}]
    assert api.post(members, {"username": "bob"}).status_code == 200
    assert api.post(members, {"username": "alice"}).json().keys() == {"username"}
    for unknown in ({"username": "nobody"}, {"username": ""}, {"username": "\x00"}, {}, {"x": 1}):
        answer = api.post(members, unknown)
        assert answer.status_code == 400
        assert "username" in answer.json()
    assert bobs.post(members, {"username": "alice"}).status_code == 403
    assert bobs.delete(f"{members}alice/").status_code == 403
    assert bobs.delete(f"{members}bob/").status_code == 204
    assert bobs.get(url).status_code == 404
    assert api.delete(f"{members}bob/").status_code == 404


def test_items_belong_to_lists_one_sees(bobs, bob, groceries, api):
    body = {"todo_list": groceries.pk, "text": "x"}
    foreign = bobs.post("/api/todo-items/", body)
    unknown = bobs.post("/api/todo-items/", body | {"todo_list": groceries.pk + 1000})
    assert foreign.status_code == unknown.status_code == 400
    assert foreign.json().keys() == unknown.json().keys() == {"todo_list"}
    assert api.post("/api/todo-items/", body).status_code == 201
    assert bobs.get("/api/todo-items/").json()["count"] == 0
    groceries.members.add(bob)
    assert bobs.get("/api/todo-items/").json()["count"] == 1


def test_new_items_go_to_the_end(api, groceries):
    texts = [str(n) for n in range(4)]
    for text in texts:
        api.post("/api/todo-items/", {"todo_list": groceries.pk, "text": text})
    rows = api.get("/api/todo-items/").json()["results"]
    assert [row["text"] for row in rows] == texts
    assert len({row["position"] for row in rows}) == 4


def test_the_end_of_a_full_range_of_positions_is_no_error(api, groceries):
    TodoItem.objects.create(todo_list=groceries, text="last", position=2**31 - 1)
    answer = api.post("/api/todo-items/", {"todo_list": groceries.pk, "text": "later"})
    assert answer.status_code == 201


def test_filters_search_and_ordering(api, alice, groceries):
    other = TodoList.objects.create(name="Other", owner=alice)
    for n, (todo_list, done) in enumerate([(groceries, True), (groceries, False), (other, True)]):
        TodoItem.objects.create(todo_list=todo_list, text=f"item {n}", done=done, position=7)

    def texts(query):
        return [row["text"][-1] for row in api.get(f"/api/todo-items/?{query}").json()["results"]]

    assert texts(f"todo_list={groceries.pk}") == ["0", "1"]
    assert texts("done=true") == ["0", "2"]
    assert texts(f"todo_list={groceries.pk}&done=false") == ["1"]
    assert texts("search=ITEM 2") == ["2"]
    assert texts("ordering=-text") == ["2", "1", "0"]
    assert texts("ordering=-position") == ["0", "1", "2"]
    assert texts("ordering=position") == ["0", "1", "2"]
    assert api.get("/api/todo-lists/?search=groc").json()["count"] == 1
    assert api.get("/api/todo-lists/?ordering=-name").json()["results"][0]["name"] == "Other"


def test_pagination(api, groceries):
    TodoItem.objects.bulk_create(
        TodoItem(todo_list=groceries, text=str(n), position=n) for n in range(7)
    )
    page = api.get("/api/todo-items/?limit=3&offset=3").json()
    assert list(page) == ["count", "next", "previous", "results"]
    assert [row["text"] for row in page["results"]] == ["3", "4", "5"]
    assert page["count"] == 7
    assert [row["text"] for row in api.get(page["next"]).json()["results"]] == ["6"]


def test_no_login_is_a_401(client, db, url):
    for path in ("/api/", "/api/todo-lists/", url, "/api/todo-items/", "/api/todo-items/1/"):
        answer = client.get(path)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Token"


def test_wrong_input_is_a_field_error(api, groceries, item):
    path = f"/api/todo-items/{item.pk}/"
    for body, field in [
        ({"text": ""}, "text"),
        ({"text": "x" * 501}, "text"),
        ({"text": "a\x00b"}, "text"),
        ({"text": {"a": 1}}, "text"),
        ({"done": "maybe"}, "done"),
        ({"position": 2**31}, "position"),
        ({"position": 1e999}, None),
        ({"todo_list": HUGE}, "todo_list"),
        ({"todo_list": int(HUGE)}, "todo_list"),
        ({"todo_list": True}, "todo_list"),
        ({"todo_list": None}, "todo_list"),
        ({"todo_list": []}, "todo_list"),
    ]:
        raw = str(body).replace("'", '"').replace("True", "true").replace("None", "null")
        raw = raw.replace("inf", "1e999").replace("\\x00", "\\u0000")
        answer = api.patch(path, raw, content_type="application/json")
        assert answer.status_code == 400, body
        if field:
            assert field in answer.json(), body
    item.refresh_from_db()
    assert item.text == "Bread"


@pytest.mark.parametrize(
    "raw",
    ["", "{", "nonsense", "[" * 100000, '{"text": NaN}', '{"text": "\\ud800"}', "\xff", "7", "[]",
     "null", '"x"', '{"text": "a", "text": 1e400}'],
)  # fmt: skip
def test_a_body_that_is_not_what_it_should_be_is_a_400(api, item, raw):
    path = f"/api/todo-items/{item.pk}/"
    answer = api.put(path, raw.encode("latin-1"), content_type="application/json")
    assert answer.status_code == 400


def test_wrong_media_types_and_methods(api, url):
    assert api.put(url, "<x/>", content_type="application/xml").status_code == 415
    assert api.post(url, {}).status_code == 405
    assert api.get(url, headers={"Accept": "image/png"}).status_code == 406


@pytest.mark.parametrize(
    "query",
    ["todo_list=abc", f"todo_list={HUGE}", "todo_list=-1", "todo_list=1.5", "todo_list=%00",
     "done=maybe", "limit=-1", "limit=x", f"limit={HUGE}", "offset=-1", f"offset={HUGE}",
     "offset=1e99", "ordering=nope", "ordering=text,-nope", "ordering=owner__password",
     "search=%00", "search=%ff", "search=" + "x" * 5000, "%ff=%ff", "format=nope", "limit=0"],
)  # fmt: skip
def test_garbage_in_a_query_is_never_a_5xx(api, item, query):
    for path in ("/api/todo-items/", "/api/todo-lists/", f"/api/todo-items/{item.pk}/"):
        assert api.get(f"{path}?{query}").status_code in (200, 400, 404), path


@pytest.mark.parametrize("pk", ["abc", HUGE, "0", "-1", "1.5", "%00", "%F0%9F", "9" * 18])
def test_garbage_in_an_address_is_a_404(api, pk):
    for path in (f"/api/todo-items/{pk}/", f"/api/todo-lists/{pk}/"):
        assert api.get(path).status_code == 404


@pytest.mark.parametrize("mutation", ["", "x" * 65, "a\tb", "é", "\x7f"])
def test_a_bad_mutation_id_is_refused_and_nothing_is_written(api, item, mutation):
    journal = Journal()
    answer = api.patch(
        f"/api/todo-items/{item.pk}/", {"text": "new"}, headers={"X-Mutation-ID": mutation}
    )
    assert answer.status_code == 400
    assert "X-Mutation-ID" in answer.json()
    item.refresh_from_db()
    assert (item.text, journal.read()) == ("Bread", [])


def test_a_link_says_where_to_subscribe(api, alice, groceries, item, url):
    link = r'</api/events/\?(channel=[^>]+)>; rel="stream"; last-event-id="\d+-\w{8}"'

    def channels(path):
        return re.fullmatch(link, api.get(path)["Link"])[1].replace("channel=", "").split("&")

    own, its = f"private-user.{alice.pk}", f"private-todo-list.{groceries.pk}"
    assert channels("/api/todo-lists/") == [own]
    assert channels(url) == [its]
    assert channels(f"/api/todo-items/{item.pk}/") == [its]
    assert channels(f"/api/todo-items/?todo_list={groceries.pk}") == [its]
    assert channels("/api/todo-items/") == [own, its]


def test_there_is_no_link_where_a_stream_could_not_have_all_channels(api, alice, groceries):
    TodoList.objects.bulk_create(TodoList(name=str(n), owner=alice) for n in range(100))
    assert "Link" not in api.get("/api/todo-items/")
    assert "Link" in api.get(f"/api/todo-items/?todo_list={groceries.pk}")


def test_too_many_requests_are_a_429(api, client, monkeypatch):
    rates = {"user": "2/min", "anon": "1/min"}
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)
    cache.clear()
    assert [api.get("/api/todo-lists/").status_code for _ in range(3)] == [200, 200, 429]
    assert api_settings.DEFAULT_THROTTLE_CLASSES
    login = {"username": "alice", "password": "wrong"}
    assert [client.post("/api/token/", login).status_code for _ in range(2)] == [400, 429]


def test_a_token_logs_in(client, alice):
    login = {"username": "alice", "password": "realtime"}
    token = client.post("/api/token/", login).json()["token"]
    answer = client.get("/api/todo-lists/", headers={"Authorization": f"Token {token}"})
    assert answer.status_code == 200


def test_basic_and_session_log_in_too(client, alice):
    basic = APIClient()
    basic.credentials(HTTP_AUTHORIZATION="Basic YWxpY2U6cmVhbHRpbWU=")
    assert basic.get("/api/todo-lists/").status_code == 200
    client.force_login(alice)
    assert client.get("/api/todo-lists/").status_code == 200


def test_a_session_writes_only_with_a_csrf_token(alice):
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(alice)
    assert browser.post("/api/todo-lists/", {"name": "x"}).status_code == 403
    assert not TodoList.objects.exists()


def test_every_page_for_people_renders(client, alice, admin_user, url, item):
    client.force_login(alice)
    html = {"Accept": "text/html"}
    for path in (
        "/", "/api/", "/api/todo-lists/", url, "/api/todo-items/", f"/api/todo-items/{item.pk}/",
        "/api/docs/", "/api-auth/login/", "/accounts/login/",
    ):  # fmt: skip
        answer = client.get(path, headers=html)
        assert answer.status_code == 200, path
        assert answer["Content-Type"].startswith("text/html")
        assert "'unsafe" not in answer["Content-Security-Policy"]
    client.force_login(admin_user)
    for model in ("todos/todolist", "todos/todoitem", "realtime/event", "auth/user"):
        assert client.get(f"/admin/{model}/").status_code == 200
        if model != "realtime/event":
            assert client.get(f"/admin/{model}/add/").status_code == 200
    assert client.get("/admin/realtime/event/add/").status_code == 403


@pytest.mark.parametrize("path", ["/api/docs/", "/api/events/", "/api/todo-items/", "/api/schema/"])
@pytest.mark.parametrize("method", ["get", "head", "options", "patch", "post"])
def test_no_page_fails_while_it_shows_an_error(client, db, path, method):
    for accept in ("text/html", "image/png", "a/b;q=x", ";;;"):
        headers = {"Authorization": "Basic !!!", "Accept": accept}
        answer = getattr(client, method)(path, headers=headers)
        assert answer.status_code < 500, (path, method, accept)


def test_the_documentation_needs_no_other_host(client, db):
    page = client.get("/api/docs/").content.decode()
    assert re.findall(r'(?:src|href)="(?:https?:)?//', page) == []
    assert client.get("/api/schema/").status_code == 200
