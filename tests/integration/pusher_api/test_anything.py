"""Whatever is sent, it is no error of the server's."""

import json

import pytest
from django.test import Client, RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from realtime.testing import settle
from tests.integration.pusher_api.asking import ask, escaped, signed

pytestmark = pytest.mark.usefixtures("pusher_app")


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
