"""Follows the log from this process, without a server."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, connections

from realtime import log
from realtime.conf import settings
from realtime.events import Event, EventId, dumps
from realtime.exceptions import PositionLost
from realtime.names import CONTROL
from realtime.plain import one_line, reason

_PATIENCE = 1.0
"""Seconds between two attempts to reach a database that is away."""


class Notice(NamedTuple):
    """Something about the log itself."""

    text: str


def follow(
    position: EventId | None,
    channels: Sequence[str],
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Event | Notice]:
    """The events on `channels`, or on all that are anybody's business, after a position, or from
    now on; for ever. Raises `PositionLost` if the log can't tell what came after `position`."""
    if position is None:
        position = log.head()
    else:
        log.check(position)
    away = False
    while True:
        try:
            page = log.read_after(position, channels or None)
        except PositionLost as lost:
            position = log.head()
            yield Notice(f"Something may be missing here ({lost.reason}); going on at {position}.")
            continue
        except (DatabaseError, InterfaceError) as error:
            connections.close_all()
            if not away:
                yield Notice(f"The database is away, waiting for it: {reason(error)}.")
            away = True
            pause(_PATIENCE)
            continue
        away = False
        yield from (event for event in page.events if event.channel != CONTROL)
        position = page.upto
        if page.complete:
            pause(settings.TICK)


def line(event: Event) -> str:
    """An event, for people."""
    more = ""
    if event.changed is not None:
        more += f"  changed: {', '.join(event.changed)}"
    if event.mutation:
        more += f"  mutation: {event.mutation}"
    return one_line(f"{event.id}  {event.channel}  {event.type}  {event.data}{more}")


def as_json(event: Event) -> str:
    """An event, for programs: its id and type, and the message that clients get."""
    return f'{{"id":{dumps(str(event.id))},"event":{dumps(event.type)},{event.message[1:]}'
