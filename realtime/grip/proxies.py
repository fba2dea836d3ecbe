"""The GRIP proxies of ``REALTIME_GRIP_URL``: whether a request comes from one, and what is
published to them."""

import json
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from realtime.conf import settings
from realtime.events import Event, EventId
from realtime.exceptions import ProxyUnavailable
from realtime.grip import holds
from realtime.sse import encode

try:
    import jwt
    import urllib3
    from gripcontrol import HttpStreamFormat, parse_grip_uri
    from pubcontrol import Item
except ImportError:  # Who has no proxies can do without.
    _IS_INSTALLED = False
else:
    _IS_INSTALLED = True

Published = dict[str, Any]

_CONNECT, _ANSWER = 1.0, 2.0
"""Seconds that a proxy may take."""
_CHUNK = 500_000
"""Bytes published at once; a Pushpin takes a megabyte, unless it is told otherwise."""
_VALIDITY = 60
"""Seconds for which a request of ours is good."""


class Proxy:
    """A proxy, or several that are published to by one address."""

    def __init__(self, url: str) -> None:
        config = parse_grip_uri(url)
        self.address: str = config["control_uri"]
        """Without the key."""
        self._issuer: str | None = config.get("control_iss")
        self._key: str | bytes = config["key"]
        self._verify_key: str | bytes = config.get("verify_key", self._key)
        self._verify_issuer: str | None = config.get("verify_iss")
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=_CONNECT, read=_ANSWER), retries=False
        )

    def signed(self, token: str) -> bool:
        """Whether it has made this ``Grip-Sig``, and lately: a JWT with an end."""
        try:
            jwt.decode(
                token,
                self._verify_key,
                algorithms=["HS256"],
                issuer=self._verify_issuer,
                options={"require": ["exp"]},
            )
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            # The last is for JSON so deep that its parser gives up.
            return False
        return True

    def publish(self, items: Iterable[Published]) -> None:
        """Sends items, in order; raises `ProxyUnavailable` if it does not take them all."""
        for body in _bodies(items):
            try:
                answer = self._pool.request(
                    "POST", f"{self.address}/publish/", body=body, headers=self._headers()
                )
            except urllib3.exceptions.HTTPError as error:
                raise ProxyUnavailable(f"{self.address}: {error}") from error
            if answer.status != 200:
                reason = answer.data[:200].decode(errors="replace").strip()
                raise ProxyUnavailable(f"{self.address}: {answer.status} {reason}")

    def _headers(self) -> dict[str, str]:
        token = self._key if isinstance(self._key, str) else self._key.decode("latin-1")
        if self._issuer:
            claim = {"iss": self._issuer, "exp": int(time.time()) + _VALIDITY}
            token = jwt.encode(claim, self._key)
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def configured() -> tuple[Proxy, ...]:
    """All proxies. Raises `ImproperlyConfigured` if the packages that they need are missing."""
    if settings.GRIP_URL and not _IS_INSTALLED:
        raise ImproperlyConfigured("REALTIME_GRIP_URL needs the extra `grip` to be installed.")
    return _proxies(settings.GRIP_URL)


@cache
def _proxies(urls: str) -> tuple[Proxy, ...]:
    return tuple(Proxy(url.strip()) for url in urls.split(",")) if urls else ()


def signed(token: str | None) -> bool:
    """Whether one of our proxies has signed a request that has this ``Grip-Sig``."""
    return bool(token) and any(proxy.signed(token or "") for proxy in configured())


def event(feed: str, event: Event, before: EventId) -> Published | None:
    """An event of the log for a feed; `before` is the feed's event before it. None if it is too
    large to be published."""
    frame = encode(event)
    if len(frame) > _CHUNK // 2:
        return None
    return _item(holds.channel(feed), HttpStreamFormat(frame.decode()), str(event.id), str(before))


def ephemeral(feed: str, event: Event) -> Published:
    """An event that is in no log, for a feed."""
    return _item(holds.aside(feed), HttpStreamFormat(encode(event).decode()))


def hint(feed: str, *, urgent: bool = False) -> Published:
    """Has the proxy ask for what a feed's streams lack: those of many feeds one after the other, or
    at once if it is `urgent`."""
    # Where ids are expected, it shows a hole as well as a hint: a proxy limits how many of those it
    # closes in a second.
    name = holds.aside(feed) if urgent else holds.channel(feed)
    return _item(name, HttpStreamFormat(action="hint"))


def _item(
    channel: str, form: "HttpStreamFormat", id: str | None = None, before: str | None = None
) -> Published:
    exported: Published = Item(form, id, before).export()
    return exported | {"channel": channel}


def _bodies(items: Iterable[Published]) -> Iterator[bytes]:
    waiting: list[bytes] = []
    size = 0
    for item in items:
        encoded = json.dumps(item, ensure_ascii=False, separators=(",", ":")).encode()
        if waiting and size + len(encoded) > _CHUNK:
            yield b'{"items":[' + b",".join(waiting) + b"]}"
            waiting, size = [], 0
        waiting.append(encoded)
        size += len(encoded)
    if waiting:
        yield b'{"items":[' + b",".join(waiting) + b"]}"
