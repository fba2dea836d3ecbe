"""What subscribers may no longer read.

A right ends in one of two ways. Its grounds end (logout, token, user): see ``grants.py``. Or the
object that a channel is about leaves the user's sight; the log tells every worker of that itself,
by the events ``left`` and ``deleted``. What it does not show, applications announce by `recheck`.
"""

import json
from collections.abc import Collection, Iterable

from realtime.channels import registry as channels
from realtime.events import Event, dumps
from realtime.log import database
from realtime.names import CONTROL as CONTROL
from realtime.names import check_name
from realtime.publishing import publisher
from realtime.publishing.watch import append
from realtime.rights.grants import Grant, users

_RECHECK = "recheck"
TERMINATE = "terminate"
"""Control event that ends the connections of a user; its data is the user's id."""


def recheck(*names: str) -> None:
    """Has every worker ask again who may read these channels, within the caller's transaction.

    Needed only after a change of rights that no published object's change shows.
    """
    data = dumps([check_name(name) for name in names])
    append([Event(CONTROL, _RECHECK, data)], database())


def terminate(user_id: str) -> None:
    """Has every worker end the connections that have signed in as a user, within the caller's
    transaction."""
    append([Event(CONTROL, TERMINATE, dumps(user_id))], database())


def terminated(event: Event) -> str:
    """The id of the user whose connections an event ends; empty for any other event."""
    if event.channel != CONTROL or event.type != TERMINATE:
        return ""
    return str(json.loads(event.data))


def doubtful(events: Iterable[Event], subscribed: Collection[str]) -> set[str]:
    """The channels among those subscribed to whose rights these events may have ended."""
    found: set[str] = set()
    for event in events:
        if event.channel == CONTROL and event.type == _RECHECK:
            found.update(name for name in json.loads(event.data) if name in subscribed)
        name, _, action = event.type.rpartition(".")
        if action in ("left", "deleted") and (known := publisher.registry.named(name)):
            data = json.loads(event.data)
            # An application may send events of such a name too, with any data.
            if isinstance(data, dict) and "id" in data:
                found |= channels.about(known.model._meta.label_lower, data["id"], subscribed)
    return found


def lost(held: Collection[tuple[Grant, frozenset[str]]]) -> list[frozenset[str]]:
    """For each grant with its channels, those that it gives no right to any more."""
    holding = users(grant for grant, _ in held)
    readable: dict[tuple[Grant, frozenset[str]], set[str]] = {}
    for grant, names in set(held):
        user = holding.get(grant)
        readable[grant, names] = channels.readable(user, names) if user is not None else set()
    return [names - readable[grant, names] for grant, names in held]


def ungrounded(grants: Collection[Grant]) -> set[Grant]:
    """Those grants that do not hold any more."""
    return set(grants) - users(grants).keys()
