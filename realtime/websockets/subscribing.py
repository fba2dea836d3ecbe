"""Whether a connection may subscribe or sign in, and from where it starts: what the database is
asked for."""

from dataclasses import dataclass

from realtime import state
from realtime.channels import is_public, registry
from realtime.events import Event, EventId
from realtime.hub import Hub
from realtime.names import USER, is_cache, is_private
from realtime.pusher.actions import SignIn, Subscribe
from realtime.rights import authorizations, revocation
from realtime.rights.grants import Grant, users
from realtime.stream import Opening, opening


class Forbidden(Exception):
    """The grounds don't hold (any more)."""


@dataclass(frozen=True, slots=True)
class Start:
    """How a subscription begins: what was missed, and what it rests on from then on."""

    opening: Opening
    grant: Grant | None = None
    cached: Event | None = None
    """The last event of a cache channel, before the opening's position."""
    anew: bool = True
    """Whether it is no continuation of an earlier subscription."""


def is_immediate(wanted: Subscribe) -> bool:
    """Whether nothing has to be asked: whoever knows the channel may hear it from now on."""
    name = wanted.channel
    if wanted.last_event_id or is_private(name) or is_cache(name) or _is_ruled(name):
        return False
    return _is_open(name)


def prepare(wanted: Subscribe, here: EventId, hub: Hub) -> Start:
    """Asks; `here` is where a subscription starts that resumes from nowhere. Raises `Forbidden`.

    The position is older than the answer of whether it may: a right that ends in between is an
    event to come.
    """
    channels = [wanted.channel]
    if wanted.last_event_id:
        start = opening(wanted.last_event_id, channels, hub)
    else:
        start = Opening(here, here)
    grant = _grounds(wanted)
    if grant is not None and revocation.lost([(grant, frozenset(channels))])[0]:
        raise Forbidden
    anew = start.reset is not None or not wanted.last_event_id
    cached = None
    if anew and is_cache(wanted.channel):
        start, cached = _with_cached(wanted.channel, start)
    return Start(start, grant, cached, anew)


def grounds_of(wanted: SignIn) -> Grant | None:
    """What a connection rests on that signs in; None if its signature is from elsewhere. Raises
    `Forbidden`."""
    grant = authorizations.grant_for(wanted.auth)
    if grant is not None and grant not in users([grant]):
        raise Forbidden
    return grant


def _is_ruled(name: str) -> bool:
    return not name.startswith(USER) and registry.is_declared(name)


def _grounds(wanted: Subscribe) -> Grant | None:
    """What the right to a channel rests on; None if anybody may hear it, or somebody has signed who
    has the application's secret. Raises `Forbidden`."""
    if is_private(wanted.channel):
        return authorizations.grant_for(wanted.auth)
    if _is_ruled(wanted.channel):
        return Grant()
    if not _is_open(wanted.channel):
        raise Forbidden
    return None


def _is_open(name: str) -> bool:
    """Whether no rule is needed. A user's own channel is for who has signed in, which is known."""
    return name.startswith(USER) or is_public(name)


def _with_cached(name: str, start: Opening) -> tuple[Opening, Event | None]:
    newest = state.cached(name)
    if newest is None:
        return start, None
    event = newest[0]
    if event.position.seq > start.upto.seq:
        # It has come meanwhile: so the subscription starts there, not to get it twice.
        start = Opening(
            start.position if start.reset else event.position, event.position, reset=start.reset
        )
    return start, event
