"""What is known of channels: who is there, and what came last.

Pusher's "HTTP API reference", "Channels" and "Users".
"""

from collections.abc import Collection, Iterable
from typing import Any

from realtime import log, occupancy
from realtime.events import MEMBER_JOINED, MEMBER_LEFT, Event, data_to_text
from realtime.exceptions import InvalidBody
from realtime.names import USER, is_cache, is_presence
from realtime.presence import membership

CACHE_MAX_AGE = 30 * 60
"""Seconds for which the last event of a cache channel is kept for those who come."""

_USERS, _SUBSCRIPTIONS, _CACHE = "user_count", "subscription_count", "cache"


def check(names: Iterable[str], info: Collection[str], known: Collection[str] = ()) -> None:
    """Raises `InvalidBody` for an attribute that does not apply to all of these channels."""
    for attribute in info:
        if attribute not in (_USERS, _SUBSCRIPTIONS, *known):
            raise InvalidBody(f"{attribute} is not an attribute that can be asked for here.")
    if _USERS in info and not all(map(is_presence, names)):
        raise InvalidBody("Only presence channels have a user_count.")
    if _CACHE in info and not all(map(is_cache, names)):
        raise InvalidBody("Only cache channels have a cache.")


def attributes(names: Collection[str], info: Collection[str]) -> dict[str, dict[str, Any]]:
    """The counts in `info` of each channel."""
    found: dict[str, dict[str, Any]] = {name: {} for name in names}
    for attribute, count in ((_USERS, membership.user_counts), (_SUBSCRIPTIONS, occupancy.counts)):
        if attribute in info:
            counts = count(names)
            for name in names:
                found[name][attribute] = counts.get(name, 0)
    return found


def occupied(prefix: str, info: Collection[str]) -> dict[str, dict[str, Any]]:
    """The channels with subscriptions whose names begin with `prefix`; raises `InvalidBody`."""
    check([prefix], info)
    found = occupancy.occupied(prefix)
    # SQLite's LIKE takes capital letters for small ones. Users' own channels are nobody's business.
    names = [name for name in found if name.startswith(prefix) and not name.startswith(USER)]
    return attributes(names, info)


def channel(name: str, info: Collection[str]) -> dict[str, Any]:
    """One channel; raises `InvalidBody`."""
    check([name], info, known=(_CACHE,))
    found = {"occupied": bool(occupancy.counts([name]).get(name))} | attributes([name], info)[name]
    if _CACHE in info:
        found[_CACHE] = _cached(name)
    return found


def users(name: str) -> list[str]:
    """The ids of a presence channel's members; raises `InvalidBody`."""
    if not is_presence(name):
        raise InvalidBody("Only presence channels have users.")
    return list(membership.members(name))


def cached(name: str) -> tuple[Event, float] | None:
    """The event that a cache channel keeps for those who come, and its age in seconds."""
    return log.newest(name, CACHE_MAX_AGE, but=(MEMBER_JOINED, MEMBER_LEFT))


def _cached(name: str) -> dict[str, Any] | None:
    newest = cached(name)
    if newest is None:
        return None
    event, age = newest
    return {"data": data_to_text(event.data), "ttl": int(CACHE_MAX_AGE - age)}
