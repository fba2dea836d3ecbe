"""Events by Pusher's HTTP API: its library for Python works; what is wrong is not logged."""

import pytest
from django.db import OperationalError
from pusher.errors import PusherBadRequest, PusherBadStatus

from realtime import failpoints, models, sequencer
from realtime.channels import registry
from realtime.events import Event
from realtime.rights import revocation
from tests.integration.conftest import Journal
from tests.integration.pusher_api.asking import EVENT, ask

pytestmark = pytest.mark.usefixtures("pusher_app")


def test_the_talks_trigger_is_logged_for_all_its_channels(pusher, journal):
    channels = ["private-todo-list.1", "private-user.1"]
    assert pusher.trigger(channels, "updated", {"text": "Br\u00f6t"}) == {}
    assert journal.told() == [("updated", channel, {"text": "Br\u00f6t"}) for channel in channels]


def test_data_is_what_was_sent(pusher, journal):
    pusher.trigger("a", "b", '{"x":  1.50}')
    pusher.trigger("a", "b", "no JSON")
    assert [event.data for event in journal.read()] == ['{"x":  1.50}', '"no JSON"']


def test_the_connection_that_caused_an_event_is_excluded(pusher, journal):
    pusher.trigger("a", "b", {}, "123.456")
    assert [event.exclude for event in journal.read()] == ["123.456"]


def test_a_user_is_sent_an_event(pusher, journal):
    pusher.trigger("#server-to-user-7", "b", {})
    assert journal.types() == ["b #server-to-user-7"]


def test_a_batch_is_logged(pusher, journal):
    items = [{"channel": name, "name": "b", "data": {"n": name}} for name in "xyz"]
    assert pusher.trigger_batch(items) == {}
    assert journal.types() == ["b x", "b y", "b z"]


def test_a_batch_with_something_wrong_in_it_is_not_logged(pusher, journal):
    good = {"channel": "a", "name": "b", "data": "{}"}
    for bad in (
        {"channel": "realtime.control"},
        {"channel": "presence-a", "name": "member.left"},
        {"name": "pusher:b"},
        {"info": "user_count"},
    ):
        with pytest.raises(PusherBadRequest):
            pusher.trigger_batch([dict(good), good | bad])
    assert journal.told() == []


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_logged_whole_or_not_at_all(pusher, monkeypatch):
    def fails(name):
        if name == "log.appended":
            assert models.Event.objects.count() == 2
            raise OperationalError(name)

    journal = Journal()
    monkeypatch.setattr(failpoints, "reach", fails)
    items = [{"channel": name, "name": "b", "data": ""} for name in "xy"]
    with pytest.raises(PusherBadStatus, match="503"):
        pusher.trigger_batch(items)
    monkeypatch.undo()
    assert journal.told() == []


def test_an_event_named_as_clients_name_theirs_is_not_logged(
    pusher, journal, monkeypatch, django_capture_on_commit_callbacks
):
    published = []
    broker = type("", (), {"publish": lambda self, batch: published.append(batch)})()
    monkeypatch.setattr(sequencer, "broker", lambda: broker)
    item = {"channel": "a", "data": "{}"}
    with django_capture_on_commit_callbacks(execute=True):
        pusher.trigger_batch([item | {"name": "client-typing"}, item | {"name": "updated"}])
    assert journal.types() == ["updated a"]
    typing = [batch for batch in published if batch.after is None and batch.events]
    assert [event.type for batch in typing for event in batch.events] == ["client-typing"]


def test_who_is_a_member_is_not_for_applications_to_say(pusher, journal):
    for name in ("member.joined", "member.left"):
        with pytest.raises(PusherBadRequest, match="tells of its members"):
            pusher.trigger(["a", "presence-a"], name, {"id": "1"})
        assert journal.told() == []
        pusher.trigger("a", name, {"id": "1"})
        assert journal.types() == [f"{name} a"]


def test_too_much_data_is_413(pusher, journal):
    with pytest.raises(PusherBadStatus, match="413"):
        pusher.trigger("a", "b", "x" * 10241)
    assert ask("POST", "/apps/3/events", b"[" * 3_000_000).status_code == 413
    assert journal.told() == []


def test_limits_can_be_set(settings, pusher):
    settings.REALTIME_MAX_TRIGGER_CHANNELS = 1
    settings.REALTIME_MAX_TRIGGER_BATCH = 1
    settings.REALTIME_MAX_TRIGGER_DATA = 5
    item = {"channel": "a", "name": "b", "data": ""}
    for call, argument in (
        (lambda names: pusher.trigger(names, "b", ""), ["a", "b"]),
        (pusher.trigger_batch, [dict(item), dict(item)]),
    ):
        with pytest.raises(PusherBadRequest, match="at most 1"):
            call(argument)
    with pytest.raises(PusherBadStatus, match="413"):
        pusher.trigger("a", "b", "123456")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", {}, {"batch": []}, EVENT | {"channels": []}])
def test_a_bad_body_is_400(db, body):
    for path in ("events", "batch_events"):
        answer = ask("POST", f"/apps/3/{path}", body)
        assert (answer.status_code, list(answer.json())) == (400, ["detail"])


@pytest.mark.parametrize("data", ["5", "null", '{"id":[1]}', '{"id":"\\\\9"}', "{}", '"x"'])
def test_a_model_events_name_with_any_data_ends_no_right(alice, data):
    held = {"private-todo-list.1", "a"}
    # From then on, it is known which model's objects the channels are about.
    registry.readable(alice, held)
    assert revocation.doubtful([Event("a", "todo-list.deleted", '{"id":1}')], held)
    assert revocation.doubtful([Event("a", "todo-list.deleted", data)], held) == set()
