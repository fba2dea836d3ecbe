"""Whether a connection may subscribe, and from where: what has to be asked of the database."""

from dataclasses import dataclass

from realtime import rights
from realtime.channels import registry
from realtime.events import EventId
from realtime.grants import Grant
from realtime.hub import Hub
from realtime.names import is_private
from realtime.pusher import Subscribe
from realtime.stream import Opening, opening


class Forbidden(Exception):
    """The subscription's grounds don't hold (any more)."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a subscription begins: what was missed, and what it rests on from then on."""

    opening: Opening
    grant: Grant | None = None


def is_immediate(wanted: Subscribe) -> bool:
    """Whether nothing has to be asked: anybody may hear the channel from now on."""
    return not (wanted.last_event_id or is_private(wanted.channel) or _grounds(wanted))


def prepare(wanted: Subscribe, here: EventId, hub: Hub) -> Start:
    """Asks; `here` is where the subscription starts that resumes from nowhere. Raises `Forbidden`.

    The position is older than the answer of whether it may: a right that ends in between is an
    event to come.
    """
    channels = [wanted.channel]
    if wanted.last_event_id:
        start = opening(wanted.last_event_id, channels, hub)
    else:
        start = Opening(here, here)
    grant = _grounds(wanted)
    if grant is not None and rights.lost([(grant, frozenset(channels))])[0]:
        raise Forbidden
    return Start(start, grant)


def _grounds(wanted: Subscribe) -> Grant | None:
    """What the right to a channel rests on; None if whoever knows its name may hear it, or has the
    word of somebody who has the application's secret."""
    if is_private(wanted.channel):
        return None
    return Grant() if registry.is_declared(wanted.channel) else None
