"""Feeders: they publish the log to GRIP proxies, each to one, in order, and nothing twice.

Of all processes that serve, one at a time publishes to a proxy: who has its lease. It reads the log
from where it has published to, and goes on only when the proxy has taken that; so nothing waits in
memory, no write waits for a proxy, and whoever takes over begins where the last one stopped. What a
proxy is told twice by that, it knows by the id. What it lacks all the same, it asks for.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Collection, Sequence

from django.db import DatabaseError, InterfaceError, connections

from realtime import log
from realtime.conf import settings
from realtime.events import NOWHERE, Batch, Event, EventId
from realtime.exceptions import PositionLost, ProxyUnavailable
from realtime.grip import feeds, proxies
from realtime.grip.leadership import RENEWAL, Leadership
from realtime.grip.proxies import Proxy, Published
from realtime.rights import revocation

logger = logging.getLogger(__name__)

RIGHTS_INTERVAL = 2.0
"""Seconds between two checks of the rights on all feeds."""
_TIDY_INTERVAL = 60.0
_GIVEN_UP = 3.0
"""After so many seconds without a proxy, what it lacks is not published any more, but asked for."""
_CROWDED = 50
"""Events for one feed at once, of which a proxy may drop some: it keeps 100 while it is asking."""
_SETTLED = 1.0
"""Seconds after which it is done with them."""
_EPHEMERAL = 1000
"""Ephemeral events that may wait."""
_REMEMBERED = 100_000
"""Feeds whose last event is remembered; events that wait for rights to be checked."""


class Feeders:
    """The feeders of a serving process."""

    def __init__(self) -> None:
        self._feeders = [Feeder(proxy) for proxy in proxies.configured()]

    def start(self) -> None:
        """Begins to publish, as soon as nobody else does."""
        for feeder in self._feeders:
            feeder.start()

    def receive(self, batch: Batch) -> None:
        """Takes note of what the broker brought."""
        for feeder in self._feeders:
            feeder.receive(batch)

    def stop(self) -> None:
        """Ends and waits for them; somebody else takes over."""
        for feeder in self._feeders:
            feeder.stop()
        for feeder in self._feeders:
            feeder.join(timeout=3)


class Feeder(threading.Thread):
    """Publishes to one proxy, while it has the lease. It keeps a database connection only then."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__(name="realtime-feeder", daemon=True)
        self._proxy = proxy
        self._leadership = Leadership(proxy.address)
        self._position = NOWHERE
        self._leading = False
        self._woken = threading.Event()
        self._stopping = False
        self._ephemeral: deque[Event] = deque(maxlen=_EPHEMERAL)
        self._last: dict[str, EventId] = {}
        self._settling: dict[str, float] = {}
        self._doubted: list[Event] = []
        self._checks_at = self._tidies_at = 0.0
        self._failing_since: float | None = None
        self._failures = 0

    def receive(self, batch: Batch) -> None:
        """Wakes it for what is in the log; keeps what is in none. From any thread."""
        if self._leading:
            if batch.after is None:
                self._ephemeral.extend(batch.events)
            self._woken.set()

    def stop(self) -> None:
        """Has it end after this round."""
        self._stopping = True
        self._woken.set()

    def run(self) -> None:
        while not self._stopping:
            self._woken.wait(self._pause())
            self._woken.clear()
            self._round()
        try:
            self._leadership.release(self._position)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A proxy's lease could not be given back: %s", error)
        connections.close_all()

    def _pause(self) -> float:
        if not self._leading:
            return RENEWAL
        return float(settings.TICK * (1 << min(self._failures, 3)))

    def _round(self) -> None:
        try:
            self._leading = self._leads()
            if self._leading:
                self._feed()
                self._check_rights()
                self._tidy()
                return
        except ProxyUnavailable as error:
            self._on_failure(error)
            return
        except (DatabaseError, InterfaceError) as error:
            logger.warning("Events can't be read for a proxy, trying again: %s", error)
        except Exception:
            # A thread that died here would end all delivery by the proxy, silently.
            logger.exception("A round of a proxy's feeder failed")
        connections.close_all()

    # Who publishes

    def _leads(self) -> bool:
        if self._leading and self._leadership.renew(self._position):
            return True
        position = self._leadership.take()
        if position is None:
            return False
        logger.info("Publishing to %s after %s", self._proxy.address, position)
        self._position = position
        self._last.clear()
        self._checks_at = 0.0
        self._tidies_at = time.monotonic() + _TIDY_INTERVAL
        return True

    def _publish(self, items: Sequence[Published]) -> None:
        if not items:
            return
        if not self._leadership.held:
            # This process stood still for a while: by now, somebody else may publish.
            raise ProxyUnavailable("The lease may have run out.")
        self._proxy.publish(items)
        if self._failures:
            logger.info("%s takes events again", self._proxy.address)
        self._failures, self._failing_since = 0, None

    def _on_failure(self, error: ProxyUnavailable) -> None:
        if not self._failures:
            logger.warning("Can't publish, trying again: %s", error)
            self._failing_since = time.monotonic()
        self._failures += 1

    # Events

    def _feed(self) -> None:
        since = self._failing_since
        if since is not None and time.monotonic() > since + _GIVEN_UP:
            self._skip()
        self._publish_ephemeral()
        while log.head() != self._position:
            try:
                page = log.read_after(self._position)
            except PositionLost:
                self._skip()
                return
            self._publish_page(page.events)
            self._doubted += page.events
            self._position = page.upto
            if self._stopping or not self._leadership.renew(self._position):
                return
        self._settle()

    def _publish_page(self, events: Sequence[Event]) -> None:
        # After the events were read: a feed that is not there yet is registered by a view that will
        # read them too.
        subscribed = feeds.subscribed({event.channel for event in events})
        fed = {feed for ids in subscribed.values() for feed in ids}
        last = self._last_of(fed)
        items: list[Published] = []
        counts: dict[str, int] = {}
        for event in events:
            for feed in subscribed.get(event.channel, ()):
                items.append(proxies.event(feed, event, last[feed]) or proxies.hint(feed))
                last[feed] = event.position
                counts[feed] = counts.get(feed, 0) + 1
        self._publish(items)
        self._last |= last
        settled = time.monotonic() + _SETTLED
        self._settling |= {feed: settled for feed, count in counts.items() if count > _CROWDED}

    def _last_of(self, fed: Collection[str]) -> dict[str, EventId]:
        """Each feed's last event up to where this feeder is."""
        if len(self._last) > _REMEMBERED:
            self._last.clear()
        unknown = feeds.channels_of([feed for feed in fed if feed not in self._last])
        found = {
            feed: log.last_before(channels, self._position) or NOWHERE
            for feed, channels in unknown.items()
        }
        # Forgotten in the meantime: nobody is there.
        return {feed: self._last.get(feed) or found.get(feed, NOWHERE) for feed in fed}

    def _publish_ephemeral(self) -> None:
        events = [self._ephemeral.popleft() for _ in range(len(self._ephemeral))]
        subscribed = feeds.subscribed({event.channel for event in events}) if events else {}
        self._publish(
            [
                proxies.ephemeral(feed, event)
                for event in events
                for feed in subscribed.get(event.channel, ())
            ]
        )

    def _settle(self) -> None:
        now = time.monotonic()
        due = [feed for feed, at in self._settling.items() if at < now]
        self._publish([proxies.hint(feed) for feed in due])
        for feed in due:
            del self._settling[feed]

    def _skip(self) -> None:
        """Goes on from now; what was before, streams that are still there are to ask for."""
        position = log.head()
        self._publish([proxies.hint(feed.id) for feed in feeds.held()])
        self._position = position
        self._last.clear()
        self._failures, self._failing_since = 0, None

    # Rights

    def _check_rights(self) -> None:
        now = time.monotonic()
        if now < self._checks_at:
            return
        self._checks_at = now + RIGHTS_INTERVAL
        doubted, self._doubted = self._doubted, []
        try:
            feeds.end(self._lost(doubted))
        except Exception:
            self._doubted = doubted[-_REMEMBERED:]
            raise
        # Again each time, until they are forgotten: a stream may just have missed it.
        self._publish([proxies.hint(feed, urgent=True) for feed in feeds.ended()])

    def _lost(self, doubted: Sequence[Event]) -> list[str]:
        """The feeds of which a right has ended. Read after `doubted` was published: a feed that is
        not there yet is registered by a view that checks the rights later."""
        held = feeds.held()
        ungrounded = revocation.ungrounded({feed.grant for feed in held})
        names = revocation.doubtful(doubted, {name for feed in held for name in feed.channels})
        suspects = [feed for feed in held if not names.isdisjoint(feed.channels)]
        lost = revocation.lost([(feed.grant, frozenset(feed.channels)) for feed in suspects])
        return [feed.id for feed in held if feed.grant in ungrounded] + [
            feed.id for feed, gone in zip(suspects, lost, strict=True) if gone
        ]

    def _tidy(self) -> None:
        now = time.monotonic()
        if now > self._tidies_at:
            self._tidies_at = now + _TIDY_INTERVAL
            feeds.tidy()
