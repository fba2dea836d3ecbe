"""Positions of the log as django-eventstream has ids: a number of its own for each channel.

Here all channels of a log share their positions. One is written as a single number, so that whoever
takes ids for numbers can go on to do so; and on the wire as ``channel:number``.
"""

from urllib.parse import quote

from realtime.events import EventId
from realtime.exceptions import InvalidEventId

_NONCE = 32
"""Bits of a nonce, which is written in eight hexadecimal digits."""


def number(position: EventId) -> int:
    """The number that stands for a position."""
    return position.seq << _NONCE | int(position.nonce, 16)


def position(number: int) -> EventId:
    """The position that a number stands for; raises `InvalidEventId`."""
    if number < 0:
        raise InvalidEventId("This is not an event id.")
    return EventId.parse(f"{number >> _NONCE}-{number % (1 << _NONCE):08x}")


def wire(channel: str, position: EventId) -> str:
    """How a stream says that everything on its channels up to a position has come."""
    return f"{quote(channel)}:{number(position)}"
