"""Ends connections that somebody has chosen in the list of all."""

import json
from collections.abc import Iterable

from django.db import transaction

from realtime.log import database
from realtime.models import Stream
from realtime.plain import counted
from realtime.rights import evictions, grants
from realtime.rights.grants import Grant


def kick(streams: Iterable[Stream]) -> int:
    """Has the workers that hold these connections end them: how many these are. They may come
    back."""
    targets = _targets(streams)
    with transaction.atomic(using=database()):
        evictions.order(evictions.KICK, targets)
    return len(targets)


def revoke(streams: Iterable[Stream]) -> tuple[int, int]:
    """Ends the sessions and tokens that these connections rest on, and with them all connections
    that do; how many of these rest on something else, too, and stay welcome."""
    streams = list(streams)
    resting = [{Grant.load(text) for text in json.loads(row.grants or "[]")} for row in streams]
    with transaction.atomic(using=database()):
        left = grants.revoke(set().union(*resting))
        evictions.order(evictions.REVOKE, _targets(streams))
    welcome = sum(1 for found in resting if not found - left)
    return len(streams), welcome


def announced(count: int) -> str:
    """How many connections end, in words."""
    return f"{counted(count, 'connection')} {'ends' if count == 1 else 'end'} now"


def _targets(streams: Iterable[Stream]) -> list[evictions.Target]:
    return [(row.worker_id, row.number) for row in streams]
