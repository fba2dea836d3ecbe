"""What Pusher's HTTP API tells of channels and users."""

import pytest
from pusher.errors import PusherBadRequest

from realtime import occupancy, state
from realtime.leases import Lease
from realtime.testing import settle
from tests.integration.pusher_api.asking import EVENT, ask, join, occupy

pytestmark = pytest.mark.usefixtures("pusher_app")


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


def test_a_users_connections_are_terminated_at_either_address(pusher, journal):
    assert pusher.terminate_user_connections("7") == {}
    assert ask("POST", "/apps/3/users/x@y/terminate_connections", {}).json() == {}
    assert journal.told() == [
        ("terminate", "realtime.control", "7"),
        ("terminate", "realtime.control", "x@y"),
    ]
