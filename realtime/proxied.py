"""What a GRIP proxy asks for about a stream that it holds: what it missed, and who may still.

The proxy asks in its own name, and says which feed the stream has and up to where. It asks from
time to time, when it sees a hole, and when it is told to. Here the grounds of the stream are looked
at anew, so that one which nobody told of a right's end is told here.
"""

import logging
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views import View

from realtime import log, sse, stream
from realtime.conf import settings
from realtime.events import NOWHERE, EventId
from realtime.grip import feeds, proxies
from realtime.grip.feeds import Feed
from realtime.grip.holds import LAST, SIGNATURE, Last, ProxyHold, ask_on
from realtime.held import FORBIDDEN
from realtime.hub import jittered
from realtime.presence import membership
from realtime.rights import revocation
from realtime.stream import Opening

logger = logging.getLogger(__name__)

_SOON = 2.0
"""Seconds after which a proxy asks again that could not be answered."""


def instructions(feed: Feed, opening: Opening, last: EventId | None = None) -> dict[str, str]:
    """The headers that have a proxy hold a stream, or ask on if there is more to replay. `last` is
    what the stream has got from the feed before `opening`, if that is known."""
    if not opening.complete:
        return ask_on(reverse("realtime:proxied-page", args=(feed.id, str(opening.upto))))
    if opening.events:
        last = opening.events[-1].id
    elif last is None:
        last = log.last_before(feed.channels, opening.upto)
    return _hold(feed.id, last or NOWHERE, opening.upto, settings.GRIP_INTERVAL)


def _hold(feed: str, last: EventId, position: EventId, interval: float) -> dict[str, str]:
    link = reverse("realtime:proxied")
    return ProxyHold(feed, last, position, settings.KEEP_ALIVE, link, interval).headers()


class ProxiedView(View):
    """Answers a proxy; for anybody else it is not there."""

    def get(
        self, request: HttpRequest, feed: str | None = None, position: str | None = None
    ) -> HttpResponse:
        """What comes next on a stream, and what to do with it then."""
        if not proxies.signed(request.headers.get(SIGNATURE)):
            raise Http404
        last = Last.parse(request.headers.get(LAST, ""))
        try:
            known = feeds.find(feed or last.feed or "")
            if known is None:
                # The client comes back, and says who it is.
                return _answer(sse.retry(jittered(settings.RETRY)))
            return _answer(*_continue(known, position or str(last.upto or NOWHERE), last))
        except (DatabaseError, InterfaceError) as error:
            if feed is not None or not (last.feed and last.last and last.position):
                raise
            # A proxy to which errors are answered soon ends the stream.
            logger.warning("A proxy can't be answered, it is to ask again: %s", error)
            return _answer(b"", _hold(last.feed, last.last, last.position, _SOON))


def _continue(feed: Feed, position: str, last: Last) -> tuple[bytes, dict[str, str]]:
    while True:
        # Before the rights are looked at: what ends them from here on is an event to come.
        opening = stream.opening(position, feed.channels)
        gone = revocation.lost([(feed.grant, frozenset(feed.channels))])[0]
        left = [channel for channel in feed.channels if channel not in gone]
        successor = feeds.register(feed.grant, left) if left and (gone or feed.ended) else feed
        if successor is not None and not successor.new:
            break
    opening = stream.without(opening, gone)
    body = b"".join(map(sse.encode, opening.events))
    if opening.reset:
        # It was a good one when the stream was told: the log is another one now.
        reason = "pruned" if opening.reset == "pruned" else "restored"
        body = sse.stream_reset(opening.upto, left, reason)
        body += b"".join(map(sse.encode, membership.lists(left)))
    if gone:
        body += sse.stream_error("forbidden", FORBIDDEN, sorted(gone))
    if not left:
        return body, {}
    same = successor == feed and not opening.reset
    if opening.complete:
        body += sse.keep_alive(opening.upto)
    return body, instructions(successor, opening, last.last if same else None)


def _answer(body: bytes, headers: dict[str, str] | None = None) -> HttpResponse:
    options: dict[str, Any] = {"content_type": "text/event-stream", "headers": headers or {}}
    return HttpResponse(body, **options)
