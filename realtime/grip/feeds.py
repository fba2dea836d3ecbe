"""Feeds: what is published to streams that a GRIP proxy holds.

A feed is of one grant and one set of channels; all streams with these share it. Not a channel: a
proxy notices a hole on what it is subscribed to only when the next event comes there. Were a stream
subscribed to each of its channels, it could get, and acknowledge, an event of one channel while it
lacks an earlier one of another, and after a reconnection nobody would know. A feed has one order.

Streams come and go without our knowing, so a feed is kept until no proxy has asked for it for a
while. A feed of whose channels a right has ended is ended itself: its streams ask, and are told
which feed is theirs now.
"""

import hashlib
import json
import secrets
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from realtime import models
from realtime.conf import settings
from realtime.database.chunks import chunked
from realtime.log import database
from realtime.rights.grants import Grant


@dataclass(frozen=True, slots=True)
class Feed:
    """Its id, on what grounds it is there, and its channels."""

    id: str
    grant: Grant
    channels: tuple[str, ...]
    ended: bool = False
    new: bool = False
    """Whether events from before now may not have been published to it."""


def register(grant: Grant, channels: Collection[str], quota: int | None = None) -> Feed | None:
    """The feed of a grant and a set of channels; None if its owner has `quota` others already.

    An event that is numbered after this has returned is published to it.
    """
    ordered = tuple(sorted(channels))
    # Who is not logged in has no more rights at one address than at another.
    shared = replace(grant, address="")
    text = json.dumps([shared.dump(), ordered])
    key = hashlib.sha256(text.encode()).hexdigest()
    while True:
        known = _rows().filter(key=key, ended=False)
        if pk := _keep(known):
            return Feed(pk, shared, ordered)
        owned = _rows().filter(owner=grant.owner, ended=False, seen_at__gt=Now() - _lifetime())
        if quota is not None and owned.count() >= quota:
            return None
        feed = Feed(secrets.token_hex(16), shared, ordered, new=True)
        try:
            _insert(feed, key, grant.owner)
        except IntegrityError:  # Somebody else was quicker.
            continue
        return feed


def find(pk: str) -> Feed | None:
    """The feed of an id, which is kept because it was asked for; None if it was forgotten."""
    rows = _rows().filter(pk=pk)
    if _keep(rows) is None:
        return None
    return next(map(_feed, rows), None)


def held() -> list[Feed]:
    """All feeds whose rights have not ended."""
    return [_feed(row) for row in _rows().filter(ended=False)]


def ended() -> list[str]:
    """The ids of the feeds of which a right has ended."""
    return list(_rows().filter(ended=True).values_list("pk", flat=True))


def subscribed(channels: Collection[str]) -> dict[str, list[str]]:
    """For each of these channels the ids of its feeds, if it has any."""
    found: dict[str, list[str]] = {}
    subscriptions = models.FeedChannel.objects.using(database())
    for chunk in chunked(channels):
        rows = subscriptions.filter(channel__in=chunk).order_by("pk")
        for channel, feed in rows.values_list("channel", "feed_id"):
            found.setdefault(channel, []).append(feed)
    return found


def channels_of(pks: Collection[str]) -> dict[str, list[str]]:
    """The channels of feeds by their ids."""
    return {
        pk: json.loads(channels)
        for chunk in chunked(pks)
        for pk, channels in _rows().filter(pk__in=chunk).values_list("pk", "channels")
    }


def end(pks: Collection[str]) -> None:
    """Publishes nothing to these feeds any more."""
    alias = database()
    for chunk in chunked(pks):
        with transaction.atomic(using=alias):
            _rows().filter(pk__in=chunk).update(ended=True)
            models.FeedChannel.objects.using(alias).filter(feed__in=chunk).delete()


def tidy() -> None:
    """Forgets the feeds that nobody has asked for lately."""
    _rows().filter(seen_at__lt=Now() - _lifetime()).delete()


def _rows() -> "QuerySet[models.Feed]":
    return models.Feed.objects.using(database())


def _lifetime() -> timedelta:
    return timedelta(seconds=5 * settings.GRIP_INTERVAL)


def _keep(rows: "QuerySet[models.Feed]") -> str | None:
    """The id of the feed among `rows`, which will not be forgotten for a while."""
    # Not a write for each stream that opens: half of a proxy's interval is early enough.
    fresh = rows.filter(seen_at__gt=Now() - timedelta(seconds=settings.GRIP_INTERVAL / 2))
    if pk := fresh.values_list("pk", flat=True).first():
        return pk
    if not rows.update(seen_at=Now()):
        return None
    return rows.values_list("pk", flat=True).first()


def _insert(feed: Feed, key: str, owner: str) -> None:
    alias = database()
    with transaction.atomic(using=alias):
        row = models.Feed(
            id=feed.id,
            key=key,
            owner=owner,
            grant=feed.grant.dump(),
            channels=json.dumps(feed.channels),
            seen_at=Now(),
        )
        row.save(using=alias, force_insert=True)
        models.FeedChannel.objects.using(alias).bulk_create(
            models.FeedChannel(feed_id=feed.id, channel=channel) for channel in feed.channels
        )


def _feed(row: models.Feed) -> Feed:
    return Feed(row.pk, Grant.load(row.grant), tuple(json.loads(row.channels)), row.ended)
