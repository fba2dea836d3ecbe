"""Django's own views: whoever opens the form of an object is shown as editing it."""

import pytest
from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpResponse
from django.test import override_settings
from django.urls import path
from django.views.generic import UpdateView

from realtime.editing import marks
from realtime.editing.forms import EditingFormMixin
from tests.integration.conftest import Journal
from todos.models import TodoItem

pytestmark = pytest.mark.django_db


class ItemForm(LoginRequiredMixin, EditingFormMixin, UpdateView):
    """A form for the items that somebody sees."""

    model = TodoItem
    fields = ("text",)
    success_url = "/"

    def get_queryset(self):
        return TodoItem.objects.visible_to(self.request.user)

    def render_to_response(self, context, **options):
        super().render_to_response(context, **options)
        if "editing" not in context:
            return HttpResponse()
        shown = context["editing"]
        names = ",".join(person["info"]["name"] for person in shown["editors"])
        return HttpResponse(f"{shown['tab']} {shown['expires_in']} {names}")


urlpatterns = [path("<int:pk>/", ItemForm.as_view(template_name="rest_framework/base.html"))]


@pytest.fixture(autouse=True)
def _urls():
    with override_settings(ROOT_URLCONF=__name__):
        yield


@pytest.fixture
def item(groceries, bob):
    groceries.members.add(bob)
    return TodoItem.objects.create(todo_list=groceries, text="Bread")


@pytest.fixture
def journal(item, login):
    return Journal()


@pytest.fixture
def login(client, alice):
    client.force_login(alice)


def told(journal):
    return [
        (kind.partition(".")[2], len(data["editors"]))
        for kind, _, data in journal.told()
        if "editors" in data
    ]


def names(item):
    return [person.id for person in marks.editors(TodoItem, [item.pk]).get(item.pk, [])]


def test_from_the_form_to_the_saved_object(client, item, alice, bob, journal):
    marks.begin(item, bob, "a")
    tab, lease, people = client.get(f"/{item.pk}/").content.decode().split()
    assert (lease, people) == ("30.0", "bob,alice")
    answer = client.post(f"/{item.pk}/?editing={tab}")
    assert answer.json()["expires_in"] == 30.0
    assert [person["id"] for person in answer.json()["editors"]] == [str(bob.pk), str(alice.pk)]
    # Refused, it is the same tab that goes on.
    refused = client.post(f"/{item.pk}/", {"text": "", "editing": tab}).content.decode()
    assert refused.split()[0] == tab
    assert client.post(f"/{item.pk}/", {"text": "Milk", "editing": tab}).status_code == 302
    item.refresh_from_db()
    assert item.text == "Milk"
    assert names(item) == [str(bob.pk)]
    assert told(journal) == [("editing", 1), ("editing", 2), ("editing-ended", 1)]


def test_a_form_that_is_left(client, item, journal):
    tabs = [client.get(f"/{item.pk}/").content.decode().split()[0] for _ in range(2)]
    assert tabs[0] != tabs[1]
    for tab in tabs:
        assert client.delete(f"/{item.pk}/?editing={tab}").status_code == 204
    assert told(journal) == [("editing", 1), ("editing-ended", 0)]


def test_only_who_may_use_the_form(client, item, journal, django_user_model):
    client.logout()
    for send in (client.get, client.post, client.delete):
        assert send(f"/{item.pk}/?editing=a").status_code == 302
    client.force_login(django_user_model.objects.create_user("mallory"))
    for send in (client.get, client.post, client.delete):
        assert send(f"/{item.pk}/?editing=a").status_code == 404
    assert told(journal) == []


def test_a_tab_has_a_plain_name(client, item, journal):
    for send in (client.post, client.delete):
        assert send(f"/{item.pk}/?editing=a b").status_code == 400
    assert client.post(f"/{item.pk}/", {"text": "Milk", "editing": "a b"}).status_code == 302
    assert told(journal) == []


def test_looking_at_the_head_is_no_editing(client, item, journal):
    assert client.head(f"/{item.pk}/").status_code == 200
    assert told(journal) == []
