"""Events that an application sends by itself."""

from collections.abc import Iterable
from typing import Any

from rest_framework.utils.encoders import JSONEncoder

from realtime import events, sequencer
from realtime.channels import check_name
from realtime.events import Batch, Event
from realtime.log import database
from realtime.watch import append


def trigger(
    channels: str | Iterable[str], event: str, data: Any = None, *, ephemeral: bool = False
) -> None:
    """Sends an event of type `event` with JSON-able `data` to one channel or several.

    It is logged in the caller's transaction: sent when that commits, never if it is rolled back,
    and replayed to who resumes. An ephemeral one is in no log: it goes out at once, to those who
    are connected. Raises `InvalidChannel` or `InvalidEvent`.
    """
    names = [channels] if isinstance(channels, str) else list(channels)
    text = events.dumps(data, cls=JSONEncoder)
    kind = events.check_type(event)
    new = tuple(Event(check_name(name), kind, text) for name in dict.fromkeys(names))
    if ephemeral:
        sequencer.broker().publish(Batch(new))
    else:
        append(new, database())
