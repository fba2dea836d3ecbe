"""Rights that end while a connection rests on them."""

import json

from realtime.pusher import codes
from tests.e2e.websockets.conftest import add
from tests.websockets import APP


def test_a_right_that_ends_ends_the_subscription_and_no_old_signature_brings_it_back(
    connect, shared
):
    alice, todo_list, channel = shared
    client = connect("bob").established()
    unused = client.signed(channel)
    client.subscribe(channel)
    alice.delete(f"/api/todo-lists/{todo_list}/members/bob/")
    frame = client.until("pusher:subscription_error", 5)
    assert (frame["channel"], frame["data"]["type"]) == (channel, "AuthError")
    assert frame["data"]["status"] == 403
    add(alice, todo_list, "secret")
    client.ask(channel, **unused)
    frame = client.until("pusher:subscription_error")
    assert frame["data"]["status"] == 403
    client.is_quiet()


def test_who_logs_out_loses_channels_and_the_user(connect, app_server):
    username, token = app_server.shell(
        "from django.contrib.auth.models import User\n"
        "from rest_framework.authtoken.models import Token\n"
        "u = User.objects.create_user(f'dave{User.objects.count()}', password='realtime')\n"
        "print(u.username, Token.objects.create(user=u).key)"
    ).split()
    guest, signed = connect().established(), connect().established()
    guest.token = signed.token = token
    pk = json.loads(signed.sign_in()["data"]["user_data"])["id"]
    guest.subscribe(f"private-user.{pk}")
    kept = "private-kept"
    guest.subscribe(kept, auth=APP.channel_auth(guest.id, kept))
    app_server.shell(
        "from rest_framework.authtoken.models import Token\n"
        f"Token.objects.filter(user__username='{username}').delete()"
    )
    frame = guest.until("pusher:subscription_error", 5)
    assert frame["channel"] == f"private-user.{pk}"
    assert signed.closed() == codes.UNAUTHORIZED
    # What another backend has signed for is not this project's to end.
    guest.send("client-x", 1, channel=kept)
    guest.is_quiet()
