"""A cache in Redis that may go: no request fails, or waits long, because it is gone."""

import logging
import time
from collections.abc import Collection, Mapping
from typing import Any

from django.core.cache.backends import redis as django_redis
from django.utils.functional import cached_property
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

PAUSE = 2.0
"""Seconds for which Redis is not asked again after it has failed: while it hangs, only one request
in so long waits for its timeout."""

_paused_until: dict[tuple[str, ...], float] = {}


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
        if time.monotonic() < _paused_until.get(self._servers, 0):
            return otherwise
        try:
            return getattr(self._client, method)(*args)
        except (RedisError, OSError) as error:
            _paused_until[self._servers] = time.monotonic() + PAUSE
            logger.warning("Redis can't be asked, going on without a cache: %s", error)
            return otherwise


class RedisCache(django_redis.RedisCache):
    """Django's cache in Redis, by a lenient client."""

    @cached_property
    def _cache(self) -> LenientClient:
        return LenientClient(self._class(self._servers, **self._options), self._servers)
