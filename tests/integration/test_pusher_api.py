"""Pusher's HTTP API: its library for Python works; what is wrong is refused, and nothing logged."""

import json
import time
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from pusher.errors import PusherBadRequest, PusherBadStatus

from realtime import failpoints, models, occupancy, sequencer, state
from realtime.channels import registry
from realtime.events import Event
from realtime.leases import Lease
from realtime.presence import membership
from realtime.presence.members import Arrival, Change
from realtime.rights import revocation
from realtime.signatures import App, body_md5
from realtime.testing import settle
from tests.integration.conftest import Journal
from tests.pushers import library
from tests.websockets import APP

pytestmark = pytest.mark.usefixtures("pusher_app")

NONE = object()


@pytest.fixture
def journal(db):
    return Journal()


@pytest.fixture
def pusher(db):
    return library(APP)


def occupy(**counts):
    occupancy.write(Lease(), {name.replace("_", "-"): count for name, count in counts.items()})


def join(channel, *connections):
    arrivals = {socket: Arrival(user, '{"name":"x"}') for socket, user in connections}
    membership.apply(Lease(), {channel: Change(arrivals)})


def signed(method, path, body=b"", *, app=APP, **query):
    """A query that is signed by hand, so that it can be wrong in any way."""
    query = {
        "auth_key": app.key,
        "auth_timestamp": f"{time.time():.0f}",
        "auth_version": "1.0",
        **({"body_md5": body_md5(body)} if body else {}),
        **query,
    }
    pairs = [(name, value) for name, value in query.items() if value is not NONE]
    signature = app.request_signature(method, path, [p for p in pairs if p[0] != "auth_signature"])
    pairs = [("auth_signature", signature), *pairs]
    return "&".join(f"{name}={escaped(value)}" for name, value in pairs)


def ask(method, path, body=b"", *, send=None, **options):
    """The answer to a signed request."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    query = signed(method, path, body, **options)
    return Client().generic(method, path, body if send is None else send, QUERY_STRING=query)


def escaped(text):
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


EVENT = {"name": "updated", "channels": ["a"], "data": "{}"}


# Events


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


# Channels


def test_an_event_is_answered_with_what_is_asked_of_its_channels(pusher):
    occupy(presence_a=3, presence_b=1)
    join("presence-a", ("1.1", "7"), ("1.2", "7"), ("1.3", "8"))
    body = EVENT | {"channels": ["presence-a", "presence-c"]}
    answer = ask("POST", "/apps/3/events", body | {"info": "user_count,subscription_count"})
    assert answer.json() == {
        "channels": {
            "presence-a": {"user_count": 2, "subscription_count": 3},
            "presence-c": {"user_count": 0, "subscription_count": 0},
        }
    }
    item = {"name": "b", "data": "", "channel": "presence-a"}
    batch = {"batch": [item | {"info": "subscription_count"}, item]}
    answer = ask("POST", "/apps/3/batch_events", batch)
    assert answer.json() == {"batch": [{"subscription_count": 3}, {}]}


def test_the_channels_that_are_occupied(pusher):
    occupy(presence_a=2, Presence_x=1, presence_b=1, news=1)
    occupancy.write(Lease(), {"#server-to-user-7": 1})
    join("presence-a", ("1.1", "7"), ("1.2", "7"))
    assert pusher.channels_info() == {
        "channels": {"Presence-x": {}, "news": {}, "presence-a": {}, "presence-b": {}}
    }
    assert pusher.channels_info("presence-", ["user_count"]) == {
        "channels": {"presence-a": {"user_count": 1}, "presence-b": {"user_count": 0}}
    }
    assert pusher.channels_info("none-") == {"channels": {}}


def test_one_channel(pusher):
    occupy(presence_a=2)
    join("presence-a", ("1.1", "7"), ("1.2", "8"))
    info = ["user_count", "subscription_count"]
    assert pusher.channel_info("presence-a") == {"occupied": True}
    assert pusher.channel_info("presence-a", info) == {
        "occupied": True,
        "user_count": 2,
        "subscription_count": 2,
    }
    assert pusher.channel_info("a") == {"occupied": False}
    assert pusher.channel_info("a", ["subscription_count"])["subscription_count"] == 0


def test_the_users_of_a_presence_channel(pusher):
    join("presence-a", ("1.1", "7"), ("1.2", "7"), ("1.3", "x@y"))
    assert pusher.users_info("presence-a") == {"users": [{"id": "7"}, {"id": "x@y"}]}
    assert pusher.users_info("presence-b") == {"users": []}
    with pytest.raises(PusherBadRequest):
        pusher.users_info("private-a")


def test_what_a_cache_channel_would_tell(pusher, monkeypatch):
    join("presence-cache-a", ("1.1", "7"))
    assert pusher.channel_info("presence-cache-a", ["cache"])["cache"] is None
    pusher.trigger("presence-cache-a", "b", "first")
    pusher.trigger("presence-cache-a", "b", "second")
    join("presence-cache-a", ("1.2", "8"))
    settle()
    cache = pusher.channel_info("presence-cache-a", ["cache"])["cache"]
    assert cache["data"] == "second"
    assert 1790 <= cache["ttl"] <= 1800
    monkeypatch.setattr(state, "CACHE_MAX_AGE", 0)
    assert pusher.channel_info("presence-cache-a", ["cache"])["cache"] is None


@pytest.mark.parametrize(
    ("path", "info"),
    [
        ("channels", "user_count"),
        ("channels", "cache"),
        ("channels", "password"),
        ("channels/a", "user_count"),
        ("channels/a", "cache"),
        ("channels/mycache-a", "cache"),
        ("channels/a", "subscription_count,x"),
    ],
)
def test_an_attribute_that_does_not_apply_is_400(db, path, info):
    assert ask("GET", f"/apps/3/{path}", info=info).status_code == 400


@pytest.mark.parametrize("name", ["a b", "\0", "\u00e9", "x" * 165])
def test_a_bad_channel_name_is_400(db, name):
    assert ask("GET", "/apps/3/channels", filter_by_prefix=name).status_code == 400
    assert ask("GET", f"/apps/3/channels/{name}").status_code == 400
    assert ask("GET", f"/apps/3/channels/{name}/users").status_code == 400


# Users


def test_a_users_connections_are_terminated_at_either_address(pusher, journal):
    assert pusher.terminate_user_connections("7") == {}
    assert ask("POST", "/apps/3/users/x@y/terminate_connections", {}).json() == {}
    assert journal.told() == [
        ("terminate", "realtime.control", "7"),
        ("terminate", "realtime.control", "x@y"),
    ]


# Signatures


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


# Anything


TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
NAME = TEXT | st.sampled_from(
    ["a", "presence-a", "cache-a", "#server-to-user-1", "todo-item.deleted", "client-x", "1.2"]
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAME,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=5,
)
INFO = st.lists(st.sampled_from(["user_count", "subscription_count", "cache", "x"])).map(",".join)
FIELDS = {
    "name": NAME | VALUE,
    "data": NAME | VALUE,
    "channel": NAME | VALUE,
    "channels": st.lists(NAME, max_size=3) | VALUE,
    "socket_id": NAME | VALUE,
    "info": INFO | VALUE,
}
BODY = st.fixed_dictionaries({}, optional=FIELDS)
hard = limits(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@given(BODY | st.fixed_dictionaries({"batch": st.lists(BODY, max_size=3) | VALUE}) | VALUE)
@hard
def test_no_body_is_an_error_of_the_servers(db, body):
    for path in ("events", "batch_events"):
        status = ask("POST", f"/apps/3/{path}", json.dumps(body).encode()).status_code
        assert status in (200, 400)


@given(st.binary(max_size=50))
@hard
def test_no_bytes_are_an_error_of_the_servers(db, body):
    assert ask("POST", "/apps/3/events", body).status_code == 400


@given(NAME, NAME, INFO | NAME)
@hard
def test_no_query_and_no_path_are_an_error_of_the_servers(db, name, prefix, info):
    for path in ("channels", "channels/{}", "channels/{}/users", "users/{}/terminate_connections"):
        method = "POST" if path.startswith("users") else "GET"
        address = f"/apps/3/{path.format(escaped(name))}"
        # As Django understands the path: that is what a library would have signed.
        seen = RequestFactory().get(address).path
        query = signed(method, seen, filter_by_prefix=prefix, info=info)
        assert Client().generic(method, address, QUERY_STRING=query).status_code < 500


@given(st.text(st.characters(max_codepoint=255), max_size=100))
@hard
def test_no_unsigned_query_gets_through(db, query):
    answer = Client().generic("GET", "/apps/3/channels", QUERY_STRING=query)
    assert answer.status_code == 401


UNUSUAL = ['"ab\\ud83d"', "ab\ud83d", "1e400", '{"a":1.10,"b":1E5,"a":-0}']


@pytest.mark.parametrize("text", UNUSUAL)
def test_whatever_is_sent_can_be_read_as_json_to_the_digit(alice, client_of, text):
    channel = f"private-user.{alice.pk}"
    url, form = f"/api/events/?channel={channel}", {"HTTP_ACCEPT": "application/json"}
    api = client_of(alice)
    before = api.get(url, **form).json()["last_event_id"]
    body = {"name": "n", "channels": [channel, "cache-x"], "data": text}
    assert ask("POST", "/apps/3/events", body).status_code == 200
    settle()
    polled = api.get(url, HTTP_LAST_EVENT_ID=before, **form)
    assert polled.status_code == 200
    assert len(polled.json()["events"]) == 1
    if "\\" not in text and text.isascii():
        assert f'"data":{text}}}' in polled.content.decode()
    assert ask("GET", "/apps/3/channels/cache-x", info="cache").status_code == 200


def test_an_error_may_repeat_what_no_utf_8_can_carry(db):
    body = {"name": "e", "channel": "c", "data": "x", "info": "\ud800"}
    assert ask("POST", "/apps/3/events", body).status_code == 400


# What the workers make of it


@pytest.mark.parametrize("data", ["5", "null", '{"id":[1]}', '{"id":"\\\\9"}', "{}", '"x"'])
def test_a_model_events_name_with_any_data_ends_no_right(alice, data):
    held = {"private-todo-list.1", "a"}
    # From then on, it is known which model's objects the channels are about.
    registry.readable(alice, held)
    assert revocation.doubtful([Event("a", "todo-list.deleted", '{"id":1}')], held)
    assert revocation.doubtful([Event("a", "todo-list.deleted", data)], held) == set()
