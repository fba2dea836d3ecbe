"""Pusher's protocol, as a client may use and abuse it."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from realtime.events import EventId
from realtime.names import USER
from realtime.pusher import codes
from realtime.pusher.actions import (
    Action,
    Close,
    Member,
    Ping,
    Relay,
    Reply,
    SignIn,
    Subscribe,
    Unsubscribe,
)
from realtime.pusher.protocol import Connection, Limits
from realtime.signatures import App

APP = App("3", "278d425bdf160c739803", "7ad3773142a6692b25b8")
SOCKET = "1234.1234"
LIMITS = Limits(message=5000, channels=4, client_event=100, client_events=3)


class Client:
    """A connection, and what it is subscribed to."""

    def __init__(self, *channels):
        self.channels = set(channels)
        self.connection = Connection(APP, SOCKET, self.channels, LIMITS)
        self.now = 0.0

    def send(self, event, data=None, **members):
        return self.say(json.dumps({"event": event, "data": data, **members}))

    def say(self, text):
        return self.connection.receive(text, self.now)

    def subscribe(self, channel, **data):
        return self.send("pusher:subscribe", {"channel": channel, **data})


@pytest.fixture
def client():
    return Client()


def error(action):
    """The code and message of an error."""
    assert isinstance(action, Reply)
    message = json.loads(action.frame)
    assert message["event"] == "pusher:error"
    return message["data"]["code"], message["data"]["message"]


def refusal(action):
    """The type and status of a refused subscription."""
    assert isinstance(action, Reply)
    message = json.loads(action.frame)
    assert message["event"] == "pusher:subscription_error"
    return message["data"]["type"], message["data"]["status"]


# Messages


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "junk",
        "1",
        "null",
        "[]",
        '"pusher:ping"',
        "{}",
        '{"event":null}',
        '{"event":["pusher:ping"]}',
        '{"event":"pusher:ping","data":NaN}',
        "[" * 3000,
        '{"event":"pusher:unknown"}',
        '{"event":"pusher_internal:subscription_succeeded","channel":"a"}',
        '{"event":"todo-item.updated","channel":"a","data":{}}',
        '{"event":"pusher:subscribe"}',
        '{"event":"pusher:subscribe","data":null}',
        '{"event":"pusher:subscribe","data":"junk"}',
        '{"event":"pusher:subscribe","data":{}}',
        '{"event":"pusher:subscribe","data":{"channel":7}}',
        '{"event":"pusher:subscribe","data":{"channel":"a","auth":{}}}',
        '{"event":"pusher:subscribe","data":{"channel":"a","last_event_id":7}}',
        '{"event":"pusher:unsubscribe","data":{"channel":[]}}',
        '{"event":"pusher:signin","data":{"auth":1}}',
    ],
)
def test_what_is_no_message_is_answered_with_an_error_without_a_code(client, text):
    assert error(client.say(text))[0] is None


def test_what_is_too_large_ends_the_connection(client):
    action = client.say('"' + "x" * LIMITS.message + '"')
    assert isinstance(action, Close)
    assert action.code == codes.TOO_BIG


def test_pings_are_answered_and_pongs_are_not(client):
    assert client.send("pusher:ping", {}) == Ping()
    assert client.send("pusher:pong", {}) is None


@pytest.mark.parametrize(
    "data", ["", "{}", None, [], {}, {"last_event_id": 7}, {"last_event_id": "7"}]
)
def test_a_ping_may_ask_for_a_position_or_say_whatever_else(client, data):
    assert client.send("pusher:ping", data) == Ping()
    position = EventId(7, "a" * 8)
    assert client.send("pusher:ping", {"last_event_id": str(position)}) == Ping(position)


def test_data_may_be_encoded_twice_as_servers_do(client):
    assert client.send("pusher:subscribe", '{"channel":"a"}') == Subscribe("a", "")


# Subscriptions


def test_anybody_may_ask_for_a_public_channel(client):
    assert client.subscribe("a", auth="") == Subscribe("a", "")


def test_where_to_resume_from_is_passed_on(client):
    assert client.subscribe("a", last_event_id="7-x").last_event_id == "7-x"


# The signatures are those that Pusher's own library gives (PyPI `pusher` 3.3.4).
PRIVATE = f"{APP.key}:58df8b0c36d6982b82c3ecf6b4662e34fe8c25bba48f5369f135bf843651c3a4"
MEMBER = '{"user_id": "10", "user_info": {"name": "Mr. Channels"}}'
PRESENCE = f"{APP.key}:96f61cf0b64a80c5cf1852da9dea2998a90fd7fa840c4cc62212573f1c524cdf"
USER_DATA = '{"id": "12345"}'
SIGN_IN = f"{APP.key}:d06dc389319077f890321aeac54e04868921e1601686928f61fc9bf702e92830"


def test_a_private_channel_needs_the_signature_of_this_socket_and_channel(client):
    assert client.subscribe("private-foobar", auth=PRIVATE) == Subscribe("private-foobar", PRIVATE)


@pytest.mark.parametrize(
    ("channel", "auth"),
    [
        ("private-foobar", ""),
        ("private-foobar", None),
        ("private-foobar", "junk"),
        ("private-foobar", PRIVATE.partition(":")[2]),
        ("private-foobar", PRIVATE[:-1] + "5"),
        ("private-foobar", "other" + PRIVATE),
        ("private-foobar", APP.channel_auth("1234.1235", "private-foobar")),
        ("private-foobar", "ü\ud800"),
        ("private-other", PRIVATE),
        ("presence-foobar", PRIVATE),
        ("private-encrypted-foobar", PRIVATE),
    ],
)
def test_no_other_signature_will_do(client, channel, auth):
    assert refusal(client.subscribe(channel, auth=auth)) == ("AuthError", 401)


def test_a_presence_channel_needs_a_signed_member(client):
    action = client.subscribe("presence-foobar", auth=PRESENCE, channel_data=MEMBER)
    assert action.member == Member("10", {"name": "Mr. Channels"})


@pytest.mark.parametrize("change", [MEMBER.replace("10", "11"), MEMBER.replace(" ", ""), ""])
def test_a_member_that_was_not_signed_is_refused(client, change):
    action = client.subscribe("presence-foobar", auth=PRESENCE, channel_data=change)
    assert refusal(action) == ("AuthError", 401)


@pytest.mark.parametrize(
    "user_id", [None, "", [], {}, True, 1.5, "x" * 129, "\x00", "a\nb", "\ud800"]
)
def test_a_member_without_a_usable_id_is_refused(client, user_id):
    data = json.dumps({"user_id": user_id})
    auth = APP.channel_auth(SOCKET, "presence-a", data)
    assert refusal(client.subscribe("presence-a", auth=auth, channel_data=data))[0] == "AuthError"


def test_a_number_is_a_member_s_id_too(client):
    auth = APP.channel_auth(SOCKET, "presence-a", '{"user_id":7}')
    action = client.subscribe("presence-a", auth=auth, channel_data='{"user_id":7}')
    assert action.member == Member("7")


def test_who_has_signed_in_needs_no_channel_data(client):
    auth = APP.channel_auth(SOCKET, "presence-a")
    assert refusal(client.subscribe("presence-a", auth=auth)) == ("AuthError", 401)
    client.connection.user = Member("u1", {"n": 1})
    assert client.subscribe("presence-a", auth=auth).member == Member("u1", {"n": 1})


def test_a_second_subscription_is_an_error_and_no_refusal():
    code, message = error(Client("a").subscribe("a"))
    assert (code, message) == (None, "Existing subscription to channel a")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "ü", "x" * 165, "#a", "a\x00", "\ud800"])
def test_a_name_that_no_channel_has_is_refused(client, name):
    assert refusal(client.subscribe(name)) == ("LimitReached", 4009)


def test_there_is_a_limit_to_channels():
    client = Client(*map(str, range(LIMITS.channels)))
    assert refusal(client.subscribe("a")) == ("LimitReached", 4100)


def test_the_workers_own_channel_is_nobodys(client):
    assert refusal(client.subscribe("realtime.control")) == ("AuthError", 401)


def test_unsubscribing_is_passed_on(client):
    assert client.send("pusher:unsubscribe", {"channel": "a"}) == Unsubscribe("a")


# Users


def test_a_signed_user_signs_in(client):
    action = client.send("pusher:signin", {"auth": SIGN_IN, "user_data": USER_DATA})
    assert action == SignIn(SIGN_IN, Member("12345"), USER_DATA)


def test_no_other_signature_signs_in(client):
    for auth, data in ((SIGN_IN, '{"id":"12345"}'), (PRIVATE, USER_DATA), ("", USER_DATA)):
        code, _ = error(client.send("pusher:signin", {"auth": auth, "user_data": data}))
        assert code == codes.UNAUTHORIZED


def sign_in(client, user):
    data = json.dumps(user)
    auth = APP.user_auth(SOCKET, data)
    return client.send("pusher:signin", {"auth": auth, "user_data": data})


@pytest.mark.parametrize(
    "user", [[], {}, {"id": 7}, {"id": ""}, {"id": "x" * 129}, {"id": "u", "watchlist": {"a": 1}}]
)
def test_a_user_needs_a_text_as_id_and_a_list_to_watch(client, user):
    assert error(sign_in(client, user))[0] == codes.UNAUTHORIZED


def test_a_watchlist_has_a_limit(client):
    users = [str(n) for n in range(101)]
    assert sign_in(client, {"id": "u", "watchlist": users[1:]}).watchlist == tuple(users[1:])
    assert error(sign_in(client, {"id": "u", "watchlist": users}))[0] == codes.WATCHLIST_LIMIT


def test_nobody_signs_in_as_two(client):
    client.connection.user = Member("u1")
    assert sign_in(client, {"id": "u1"}).user == Member("u1")
    assert error(sign_in(client, {"id": "u2"}))[0] == codes.UNAUTHORIZED


def test_a_users_channel_is_for_that_user_alone(client):
    assert refusal(client.subscribe(f"{USER}u1")) == ("AuthError", 401)
    client.connection.user = Member("u1")
    assert client.subscribe(f"{USER}u1") == Subscribe(f"{USER}u1", "")
    for other in ("u2", "u11", "u", ""):
        assert refusal(client.subscribe(f"{USER}{other}")) == ("AuthError", 401)


# Client events


def test_a_client_event_goes_to_the_others_and_not_back():
    client = Client("private-a")
    action = client.send("client-x", {"n": 1}, channel="private-a")
    assert isinstance(action, Relay)
    event = action.event
    assert (event.channel, event.type, event.data) == ("private-a", "client-x", '{"n":1}')
    assert (event.exclude, event.id, event.user_id) == (SOCKET, None, "")


def test_a_member_is_named_as_the_sender():
    client = Client("presence-a")
    client.connection.members["presence-a"] = "u1"
    assert client.send("client-x", 1, channel="presence-a").event.user_id == "u1"


def test_data_that_is_encoded_already_is_not_encoded_again():
    client = Client("private-a")
    assert client.send("client-x", '{"n": 1}', channel="private-a").event.data == '{"n": 1}'
    assert client.send("client-x", "hello", channel="private-a").event.data == '"hello"'


@pytest.mark.parametrize("channel", ["a", "private-other", "private-encrypted-a", "presence-b", ""])
def test_client_events_are_for_private_channels_of_ones_own(channel):
    client = Client("a", "private-a", "private-encrypted-a")
    assert error(client.send("client-x", 1, channel=channel))[0] == codes.CLIENT_EVENT_REFUSED


@pytest.mark.parametrize("name", ["client-" + "x" * 194, "client-\n", "client-\ud800"])
def test_a_client_event_has_a_name_that_events_may_have(name):
    action = Client("private-a").send(name, 1, channel="private-a")
    assert error(action)[0] == codes.CLIENT_EVENT_REFUSED


def test_a_client_event_may_be_only_so_large():
    client = Client("private-a")
    assert isinstance(client.send("client-x", "x" * 98, channel="private-a"), Relay)
    action = client.send("client-x", "x" * 99, channel="private-a")
    assert error(action)[0] == codes.CLIENT_EVENT_REFUSED


def test_client_events_come_only_so_fast():
    client = Client("private-a")

    def sent(count):
        actions = [client.send("client-x", 1, channel="private-a") for _ in range(count)]
        return sum(isinstance(action, Relay) for action in actions)

    assert sent(5) == 3
    client.now += 1 / 3
    assert sent(5) == 1
    client.now += 60
    assert sent(5) == 3


# Anything at all

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("a"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
CHANNELS = st.sampled_from(["a", "private-a", "presence-a", "cache-a", "#server-to-user-a"])
DATA = st.fixed_dictionaries(
    {},
    optional={
        "channel": CHANNELS | VALUES,
        "auth": st.just(PRIVATE) | VALUES,
        "channel_data": st.just(MEMBER) | VALUES,
        "user_data": st.just(USER_DATA) | VALUES,
        "last_event_id": VALUES,
    },
)
EVENTS = st.sampled_from(
    ["pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:ping", "client-x"]
)
MESSAGES = st.fixed_dictionaries(
    {}, optional={"event": EVENTS | VALUES, "data": DATA | VALUES, "channel": CHANNELS | VALUES}
)
ACTIONS = Action.__args__


class Anything(RuleBasedStateMachine):
    """Whatever a client sends, in whatever order, has a defined answer."""

    def __init__(self):
        super().__init__()
        self.client = Client()

    def receive(self, text):
        action = self.client.say(text)
        assert action is None or isinstance(action, ACTIONS)
        match action:
            case Reply(frame):
                assert json.loads(frame)["event"] in ("pusher:error", "pusher:subscription_error")
                frame.encode()
            case Subscribe(channel):
                assert channel not in self.client.channels
                self.client.channels.add(channel)
            case Unsubscribe(channel):
                self.client.channels.discard(channel)
            case Relay(event):
                assert event.channel in self.client.channels
                json.loads(event.data)
            case SignIn(user=user):
                self.client.connection.user = user

    @rule(message=MESSAGES)
    def understandable(self, message):
        self.receive(json.dumps(message))

    @rule(event=EVENTS, data=DATA)
    def nearly_right(self, event, data):
        self.receive(json.dumps({"event": event, "data": data}))

    @rule(text=st.none() | st.text())
    def junk(self, text):
        self.receive(text)

    @rule(channel=st.sampled_from(["private-a", "presence-a", "private-cache-b"]))
    def signed(self, channel):
        data = '{"user_id":"u"}' if channel.startswith("presence-") else ""
        auth = APP.channel_auth(SOCKET, channel, data)
        signed = {"channel": channel, "auth": auth, "channel_data": data}
        self.receive(json.dumps({"event": "pusher:subscribe", "data": signed}))

    @invariant()
    def limited(self):
        assert len(self.client.channels) <= LIMITS.channels


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


@given(st.binary())
@settings(deadline=None)
def test_bytes_that_happen_to_be_text_are_answered_too(data):
    text = data.decode("utf-8", "surrogateescape")
    assert isinstance(Client().say(text), (Reply, Ping, type(None)))
