"""A cache in Redis that may go: no request fails, or waits long, because it is gone.

Meanwhile each process keeps one of its own: what is counted in it, as throttles do, has limits then
as well.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any

from django.core.cache.backends import redis as django_redis
from django.core.cache.backends.locmem import LocMemCache
from django.utils.functional import cached_property
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two attempts to reach a Redis that has failed. No request makes one: each would
have to wait for its timeout."""

FAILURES = (RedisError, OSError, AttributeError)
"""What Redis's client raises; the last one where something else than Redis answers."""

_PROBE = ":realtime:probe"

_away: set[tuple[str, ...]] = set()
"""The servers that have failed, and are not asked until they answer again."""
_noticing = threading.Lock()


class LenientClient:
    """Asks Redis; while it can't be asked, a cache of this process."""

    def __init__(self, client: django_redis.RedisCacheClient, servers: Collection[str]) -> None:
        self._client = client
        self._servers = tuple(servers)
        self._local = LocMemCache(" ".join(servers), {"MAX_ENTRIES": 10_000})

    def __getattr__(self, method: str) -> Callable[..., Any]:
        return partial(self._ask, method)

    def _ask(self, method: str, *args: Any, **options: Any) -> Any:
        if self._servers not in _away:
            try:
                return getattr(self._client, method)(*args, **options)
            except FAILURES as error:
                self._notice(error)
        return getattr(self._local, method)(*args, **options)

    def _notice(self, error: Exception) -> None:
        with _noticing:
            if self._servers in _away:
                return
            _away.add(self._servers)
            self._local.clear()
        logger.warning("Redis can't be asked, going on with a cache of this process: %s", error)
        threading.Thread(target=self._wait, name="cache-return", daemon=True).start()

    def _wait(self) -> None:
        """Returns when Redis can be written to again: one that is full answers, too."""
        while True:
            time.sleep(PAUSE)
            with suppress(*FAILURES):
                self._client.set(_PROBE, 1, timeout=1)
                break
        _away.discard(self._servers)
        logger.info("Redis answers again")


class RedisCache(django_redis.RedisCache):
    """Django's cache in Redis, by a lenient client."""

    @cached_property
    def _cache(self) -> LenientClient:
        return LenientClient(self._class(self._servers, **self._options), self._servers)
