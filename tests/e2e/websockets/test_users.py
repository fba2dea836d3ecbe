"""Who is connected: users who have signed in, and members of presence channels."""

import json

from realtime.pusher import codes
from tests.websockets import APP, backend_of

# Users


def test_a_user_is_reached_by_the_channel_of_those_who_have_signed_in(connect, backend):
    client, stranger = connect("bob").established(), connect("alice").established()
    assert json.loads(client.sign_in()["data"]["user_data"])["id"] == "2"
    client.subscribe("#server-to-user-2", auth="")
    stranger.sign_in()
    stranger.ask("#server-to-user-2")
    assert stranger.until("pusher:subscription_error")["data"]["status"] == 401
    backend.send_to_user("2", "direct", {"n": 1})
    assert client.change() == ("direct", {"n": 1})


def test_a_user_is_sent_away_with_all_connections(connect, app_server):
    client, other = connect("bob").established(), connect("bob").established()
    client.sign_in()
    backend_of(app_server).terminate_user_connections("2")
    assert client.closed() == codes.UNAUTHORIZED
    other.is_quiet()


def test_who_watches_others_is_told_of_them(connect):
    client = connect().established()
    data = json.dumps({"id": "watcher", "watchlist": ["watched"]})
    client.send("pusher:signin", {"auth": APP.user_auth(client.id, data), "user_data": data})
    online = {"name": "online", "user_ids": ["watched"]}
    offline = {"name": "offline", "user_ids": ["watched"]}

    def told():
        frame = client.until("pusher_internal:watchlist_events")
        return json.loads(frame["data"])["events"]

    assert told() == [offline]
    watched = connect().established()
    data = json.dumps({"id": "watched"})
    watched.send("pusher:signin", {"auth": APP.user_auth(watched.id, data), "user_data": data})
    assert told() == [online]
    watched.close()
    assert told() == [offline]


# Presence


def member(client, channel, user_id, info=None):
    """Subscribes as somebody whom a backend has signed for; the members."""
    data = json.dumps({"user_id": user_id, "user_info": info})
    auth = APP.channel_auth(client.id, channel, data)
    frame = client.subscribe(channel, auth=auth, channel_data=data)
    return json.loads(frame["data"])["presence"]


def test_members_see_each_other_come_and_go(connect):
    channel = "presence-websockets"
    first, second, third = (connect().established() for _ in range(3))
    assert member(first, channel, "u1", {"n": 1}) == {
        "ids": ["u1"],
        "hash": {"u1": {"n": 1}},
        "count": 1,
    }
    assert member(second, channel, "u2")["ids"] == ["u1", "u2"]
    frame = first.until("pusher_internal:member_added")
    assert json.loads(frame["data"]) == {"user_id": "u2", "user_info": None}
    # A user's second connection is news to nobody, nor is its end.
    assert member(third, channel, "u2")["count"] == 2
    third.close()
    second.send("client-x", 1, channel=channel)
    assert first.next() == {
        "event": "client-x",
        "data": "1",
        "channel": channel,
        "user_id": "u2",
    }
    second.close()
    frame = first.next()
    assert frame["event"] == "pusher_internal:member_removed"
    assert json.loads(frame["data"]) == {"user_id": "u2"}


def test_a_channel_s_own_members_are_known_by_the_project_s_users(connect, shared):
    channel = shared[2].replace("private-", "presence-")
    client = connect("alice").established()
    frame = client.subscribe(channel)
    assert json.loads(frame["data"])["presence"]["hash"] == {"1": {"name": "alice"}}


def test_a_member_may_tell_only_so_much(connect):
    client = connect().established()
    data = json.dumps({"user_id": "u", "user_info": "x" * 1100})
    channel = "presence-websockets-large"
    client.ask(channel, auth=APP.channel_auth(client.id, channel, data), channel_data=data)
    frame = client.until("pusher:subscription_error")
    assert (frame["data"]["type"], frame["data"]["status"]) == ("LimitReached", 4301)
    assert member(client, channel, "u")["count"] == 1
