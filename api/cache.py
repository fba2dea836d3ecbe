"""A cache in Redis that may go: no request fails, or waits long, because it is gone."""

import logging
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

from django.core.cache.backends import redis as django_redis
from django.utils.functional import cached_property
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds between two attempts to reach a Redis that has failed. No request makes one: each would
have to wait for its timeout."""

_away: set[tuple[str, ...]] = set()
"""The servers that have failed, and are not asked until they answer again."""
_noticing = threading.Lock()


class LenientClient:
    """Asks Redis; while it can't be asked, answers as a cache does that holds nothing."""

    def __init__(self, client: django_redis.RedisCacheClient, servers: Collection[str]) -> None:
        self._client = client
        self._servers = tuple(servers)

    def add(self, key: str, value: Any, timeout: int | None) -> Any:
        return self._ask(True, "add", key, value, timeout)

    def get(self, key: str, default: Any) -> Any:
        return self._ask(default, "get", key, default)

    def set(self, key: str, value: Any, timeout: int | None) -> Any:
        return self._ask(None, "set", key, value, timeout)

    def touch(self, key: str, timeout: int | None) -> Any:
        return self._ask(False, "touch", key, timeout)

    def delete(self, key: str) -> Any:
        return self._ask(False, "delete", key)

    def get_many(self, keys: Collection[str]) -> Any:
        return self._ask({}, "get_many", keys)

    def has_key(self, key: str) -> Any:
        return self._ask(False, "has_key", key)

    def incr(self, key: str, delta: int) -> Any:
        # What the cache has not got can't be counted up: Django's caches raise this.
        result = self._ask(None, "incr", key, delta)
        if result is None:
            raise ValueError(f"Key '{key}' not found.")
        return result

    def set_many(self, data: Mapping[str, Any], timeout: int | None) -> Any:
        return self._ask(None, "set_many", data, timeout)

    def delete_many(self, keys: Collection[str]) -> Any:
        return self._ask(None, "delete_many", keys)

    def clear(self) -> Any:
        return self._ask(False, "clear")

    def _ask(self, otherwise: Any, method: str, *args: Any) -> Any:
        if self._servers in _away:
            return otherwise
        try:
            return getattr(self._client, method)(*args)
        except (RedisError, OSError) as error:
            self._notice(error)
            return otherwise

    def _notice(self, error: Exception) -> None:
        with _noticing:
            if self._servers in _away:
                return
            _away.add(self._servers)
        logger.warning("Redis can't be asked, going on without a cache: %s", error)
        threading.Thread(target=self._wait, name="cache-return", daemon=True).start()

    def _wait(self) -> None:
        """Returns when Redis answers again."""
        while True:
            time.sleep(PAUSE)
            with suppress(RedisError, OSError):
                self._client.get_client().ping()
                break
        _away.discard(self._servers)
        logger.info("Redis answers again")


class RedisCache(django_redis.RedisCache):
    """Django's cache in Redis, by a lenient client."""

    @cached_property
    def _cache(self) -> LenientClient:
        return LenientClient(self._class(self._servers, **self._options), self._servers)
