"""ETag, If-Match and If-None-Match on lists and items: RFC 9110, sections 8.8.3 and 13."""

import json

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.viewsets import ModelViewSet

from realtime import etags
from realtime.conditional import ConditionalMixin
from tests.integration.conftest import Journal
from todos.models import TodoItem, TodoList
from todos.serializers import TodoItemSerializer

OLD = '"old"'


@pytest.fixture(params=["todo-items", "todo-lists"])
def any_path(request, item):
    """The address of an item, and that of a list."""
    pk = item.pk if request.param == "todo-items" else item.todo_list_id
    return f"/api/{request.param}/{pk}/"


def tag_of(api, path):
    return api.get(path)["ETag"]


def position(answer):
    return answer["Link"].partition('last-event-id="')[2].rstrip('"')


def test_the_tag_is_that_of_the_representation_wherever_it_is_from(api, any_path, groceries):
    journal = Journal()
    api.patch(any_path, {"description" if "lists" in any_path else "text": "Zoë\u2028"})
    answer = api.get(any_path)
    assert etags.of(answer.json()) == answer["ETag"]
    [row] = api.get(any_path.rpartition("/")[0].rpartition("/")[0] + "/").json()["results"]
    assert etags.of(row) == answer["ETag"]
    assert {etags.of(json.loads(event.data)) for event in journal.read()} == {answer["ETag"]}
    assert answer["Cache-Control"] == "private, no-cache"
    assert api.head(any_path)["ETag"] == answer["ETag"]


def test_the_tag_changes_with_whatever_the_representation_shows(api, any_path, groceries, bob):
    before = tag_of(api, any_path)
    assert tag_of(api, any_path) == before
    # Ways that leave `updated_at` alone.
    TodoItem.objects.update(done=True)
    groceries.members.add(bob)
    assert tag_of(api, any_path) != before


def test_only_plain_json_has_a_tag(api, path):
    assert "ETag" not in api.get(path, headers={"Accept": "text/html"})
    assert "ETag" not in api.get(path, headers={"Accept": "application/json; indent=2"})
    assert "ETag" in api.get(path, headers={"Accept": "application/json; q=0.9, text/html; q=0.1"})
    # What has none is not asked for by one.
    answer = api.get(path, headers={"Accept": "text/html", "If-None-Match": "*"})
    assert answer.status_code == 200


def test_who_has_it_gets_nothing_but_the_position(api, any_path, item):
    tag = tag_of(api, any_path)
    before = position(api.get(any_path))
    # Something that this representation does not show.
    api.post("/api/todo-lists/", {"name": "Other"})
    Journal()
    for header in (tag, f"W/{tag}", f"{OLD}, {tag}", "*"):
        for method in (api.get, api.head):
            answer = method(any_path, headers={"If-None-Match": header})
            assert answer.status_code == 304
            assert answer.content == b""
            # RFC 9110, section 8.6
            assert "Content-Length" not in answer
            assert answer["ETag"] == tag
            assert answer["Cache-Control"] == "private, no-cache"
            assert "/api/events/?channel=private-todo-list" in answer["Link"]
            assert position(answer) != before
    answer = api.get(any_path, headers={"If-None-Match": OLD})
    assert answer.status_code == 200
    assert answer["ETag"] == tag


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_who_has_not_seen_the_current_state_changes_nothing(api, any_path, method):
    journal = Journal()
    send = getattr(api, method)
    tag = tag_of(api, any_path)
    # A body that would be refused, too: the condition comes first.
    for header in (OLD, f"W/{tag}", f'{OLD}, W/{tag}, "x"'):
        answer = send(any_path, {"text": "", "name": ""}, headers={"If-Match": header})
        assert answer.status_code == 412
        assert answer.json().keys() == {"detail", "current"}
        assert answer.json()["current"] == api.get(any_path).json()
        assert answer["ETag"] == tag
        assert position(answer) == position(api.get(any_path))
    assert journal.read() == []
    for header in (tag, "*"):
        answer = send(any_path, {"text": "", "name": ""}, headers={"If-None-Match": header})
        assert answer.status_code == 412
    assert tag_of(api, any_path) == tag


@pytest.mark.parametrize("header", ["{tag}", '"x", {tag} ,"y"', "*"])
def test_who_has_seen_it_changes_it(api, path, header, groceries):
    tag = tag_of(api, path)
    headers = {"If-Match": header.format(tag=tag), "If-None-Match": OLD}
    answer = api.patch(path, {"done": True}, headers=headers)
    assert answer.status_code == 200
    assert answer["ETag"] == tag_of(api, path) != tag
    headers = {"If-Match": header.format(tag=answer["ETag"])}
    whole = {"todo_list": groceries.pk, "text": "Milk"}
    answer = api.put(path, whole, headers=headers)
    assert answer.status_code == 200
    # RFC 9110, section 9.3.4
    assert "ETag" not in answer
    headers = {"If-Match": header.format(tag=tag_of(api, path))}
    assert api.delete(path, headers=headers).status_code == 204
    assert api.patch(path, {"done": True}, headers={"If-Match": "*"}).status_code == 404


def test_a_read_may_have_conditions_too(api, path):
    assert api.get(path, headers={"If-Match": tag_of(api, path)}).status_code == 200
    answer = api.get(path, headers={"If-Match": OLD})
    assert answer.status_code == 412
    assert answer["ETag"] == tag_of(api, path)
    assert position(answer)


@pytest.mark.parametrize("header", ["If-Match", "If-None-Match"])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_a_malformed_condition_is_an_error(api, path, method, header):
    for text in ("old", '"old', '"a" "b"', "", '*, "a"'):
        answer = getattr(api, method)(path, headers={header: text})
        assert answer.status_code == 400
        assert answer.json().keys() == {header}
    assert TodoItem.objects.exists()


def test_rights_come_first(api, any_path, bob, client_of, groceries):
    others = client_of(bob)
    for method in (others.get, others.patch, others.delete):
        assert method(any_path, headers={"If-Match": OLD}).status_code == 404
    groceries.members.add(bob)
    if "lists" in any_path:
        assert others.delete(any_path, headers={"If-Match": OLD}).status_code == 403


def test_conditions_are_for_objects_alone(api, path, groceries, bob):
    headers = {"If-Match": OLD, "If-None-Match": "nonsense"}
    answer = api.post("/api/todo-lists/", {"name": "New"}, headers=headers)
    assert answer.status_code == 201
    assert api.get("/api/todo-lists/", headers=headers).status_code == 200
    members = f"/api/todo-lists/{groceries.pk}/members/"
    assert api.post(members, {"username": "bob"}, headers=headers).status_code == 201
    assert api.options(path, headers=headers).status_code == 200


def test_other_origins_may_have_conditions_and_read_the_tag(client, db, settings):
    settings.CORS_ALLOWED_ORIGINS = ["https://other.example"]
    headers = {
        "Origin": "https://other.example",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "if-match, if-none-match",
    }
    answer = client.options("/api/todo-items/1/", headers=headers)
    allowed = answer["Access-Control-Allow-Headers"].split(", ")
    assert {"if-match", "if-none-match"} <= set(allowed)
    answer = client.get("/api/todo-items/1/", headers={"Origin": "https://other.example"})
    assert "etag" in answer["Access-Control-Expose-Headers"]


def test_a_condition_costs_a_write_next_to_nothing(api, path):
    """The row is locked already, and the condition is evaluated on what was read."""
    with CaptureQueriesContext(connections["default"]) as plain:
        api.patch(path, {"text": "Milk"})
    tag = tag_of(api, path)
    with CaptureQueriesContext(connections["default"]) as conditional:
        assert api.patch(path, {"text": "Rice"}, headers={"If-Match": tag}).status_code == 200
    # The log's position.
    assert len(conditional) == len(plain) + 1


@pytest.mark.django_db(transaction=True)
def test_a_viewset_that_holds_nothing_itself_looks_again_once_it_has_the_row(
    either_database, django_user_model
):
    class Plain(ConditionalMixin, ModelViewSet):
        queryset = TodoItem.objects.all()
        serializer_class = TodoItemSerializer
        permission_classes = ()
        theirs = None

        def stream_channels(self, instance=None):
            return ["private-a"]

        def hold(self, instance):
            """Somebody has written it since it was read."""
            if self.theirs:
                TodoItem.objects.filter(pk=instance.pk).update(text=self.theirs)
            with CaptureQueriesContext(connections["default"]) as queries:
                held = super().hold(instance)
            if connections["default"].vendor == "postgresql":
                assert "FOR NO KEY UPDATE" in queries[0]["sql"]
            return held

    owner = django_user_model.objects.get_or_create(username="alice")[0]
    groceries = TodoList.objects.create(name="Groceries", owner=owner)
    item = TodoItem.objects.create(todo_list=groceries, text="Bread")

    def patch(theirs, tag):
        request = APIRequestFactory().patch("/", {"done": True}, headers={"If-Match": tag})
        force_authenticate(request, owner)
        return Plain.as_view({"patch": "partial_update"}, theirs=theirs)(request, pk=item.pk)

    tag = etags.of(TodoItemSerializer(item).data)
    refused = patch("theirs", tag)
    assert refused.status_code == 412
    assert refused.data["current"]["text"] == "theirs"
    # What is refused is rolled back, here with the other's write.
    assert patch(None, tag).status_code == 200
