"""Events that an application sends by itself."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from rest_framework.utils.encoders import JSONEncoder

from realtime import events, sequencer
from realtime.events import Batch, Event
from realtime.log import database
from realtime.names import check_target, is_encrypted
from realtime.publishing.watch import append
from realtime.pusher import encryption

_CLIENT = "client-"
"""Names of events that clients send each other, which are never logged."""


def trigger(
    channels: str | Iterable[str],
    event: str,
    data: Any = None,
    *,
    ephemeral: bool = False,
    socket_id: str = "",
) -> None:
    """Sends an event of type `event` with JSON-able `data` to one channel or several.

    ``#server-to-user-7`` is the channel of all connections that have signed in as user 7. On
    channels with the prefix ``private-encrypted-``, the data is encrypted for those who may read
    them. The connection that has the `socket_id`, perhaps the one that caused the event, does not
    get it.

    It is logged in the caller's transaction: sent when that commits, never if it is rolled back,
    and replayed to who resumes. An ephemeral one is in no log: it goes out at once, to those who
    are connected. Raises `InvalidChannel`, `InvalidEvent` or `NoEncryptionKey`.
    """
    names = [channels] if isinstance(channels, str) else list(channels)
    text = events.dumps(data, cls=JSONEncoder)
    exclude = events.check_socket_id(socket_id) if socket_id else ""
    new = [
        Event(
            check_target(name),
            events.check_type(event, name),
            _sealed(name, text),
            exclude=exclude,
        )
        for name in dict.fromkeys(names)
    ]
    if ephemeral:
        sequencer.broker().publish(Batch(tuple(new)))
    else:
        send(new)


def send(new: Iterable[Event]) -> None:
    """Sends events: all of them, or none if the caller's transaction is rolled back. Those that
    are named as clients name theirs are ephemeral; the others are logged."""
    logged: list[Event] = []
    passing: list[Event] = []
    for event in new:
        (passing if event.type.startswith(_CLIENT) else logged).append(event)
    with transaction.atomic(using=database(), savepoint=False):
        append(logged, database())
        if passing:
            batch = Batch(tuple(passing))
            transaction.on_commit(lambda: sequencer.broker().publish(batch), using=database())


def _sealed(channel: str, text: str) -> str:
    return encryption.seal(channel, text) if is_encrypted(channel) else text
