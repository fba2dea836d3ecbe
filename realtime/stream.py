"""Where a stream starts: what is replayed to it, before it goes live."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from realtime import log, meters
from realtime.events import NOWHERE, Event, EventId
from realtime.exceptions import InvalidEventId, PositionLost
from realtime.hub import Hub


@dataclass(frozen=True, slots=True)
class Opening:
    """The start of a stream: from `position` on it has `events`, and so is at `upto`."""

    position: EventId
    upto: EventId
    events: list[Event] = field(default_factory=list)
    reset: str | None = None
    """Why the position that was asked for can't be resumed from, if it can't."""
    complete: bool = True
    """Whether there is nothing to read after `upto` yet."""


def opening(last_event_id: str, channels: Sequence[str], hub: Hub | None = None) -> Opening:
    """Replays what comes after `last_event_id` on `channels`; from now on if it is empty.

    A long replay is only begun: who holds the stream reads on from `upto`. Where that is a `hub`
    that remembers all of it, nothing is read here: thousands may come back at once.
    """
    if not last_event_id:
        head = log.head()
        return Opening(head, head)
    try:
        position = EventId.parse(last_event_id)
        if hub is not None and hub.remembers(position):
            return Opening(position, position)
        page = log.read_after(position, channels)
    except InvalidEventId:
        return reset("unknown-id")
    except PositionLost as lost:
        return reset(lost.reason)
    return Opening(position, page.upto, page.events, complete=page.complete)


def without(opening: Opening, channels: Collection[str]) -> Opening:
    """As `opening`, for somebody who may not read `channels` any more."""
    return replace(opening, events=[e for e in opening.events if e.channel not in channels])


def reset(reason: str) -> Opening:
    """A stream that starts from now, and says that something may be missing before.

    Its position is nowhere until it has said so: a client whose connection breaks between the two
    would otherwise resume from now, and never hear of it.
    """
    meters.count(meters.RESET.slot(reason))
    return Opening(NOWHERE, log.head(), reset=reason)
