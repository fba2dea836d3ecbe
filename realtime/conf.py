"""Every setting of this package with its default: the only reader of Django's settings.

``settings.KEEP_ALIVE`` is Django's ``REALTIME_KEEP_ALIVE`` or the default below. Values are read
when first used and forgotten when Django announces a changed setting.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, fields
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from realtime.signatures import App

PREFIX = "REALTIME_"

TOKEN_FORM = "16 characters or more out of letters, digits and ._~+/=-"  # noqa: S105 - it is none
"""How a token is written."""

BROKERS = {
    **dict.fromkeys(("redis", "rediss", "unix"), "realtime.brokers.redis.RedisBroker"),
    **dict.fromkeys(("postgres", "postgresql"), "realtime.brokers.postgres.PostgresBroker"),
}
"""Schemes of ``REALTIME_BROKER_URL``, and what class is for them."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings and their defaults. Durations are in seconds, sizes in bytes."""

    BROKER_URL: str = ""
    """What tells other processes of events within milliseconds: ``redis://…``, or ``postgres://…``
    for NOTIFY by a direct connection. Empty: by the log's database if it is PostgreSQL."""
    GRIP_URL: str = ""
    """The GRIP proxies that may hold streams, and where to publish to them, separated by commas:
    ``http://127.0.0.1:5561?iss=…&key=…``. Empty: none."""
    GRIP_INTERVAL: float = 20.0
    """A proxy asks again for each stream this often, in whole seconds: whatever it was not told is
    late by so much at most."""
    PUBLIC_CHANNELS: str = ""
    """Channels without a rule that anybody may read, with blanks between; ``*`` stands for any
    characters. Never those with the prefixes ``private-`` and ``presence-``."""
    KEEP_ALIVE: float = 15.0
    """A quiet stream gets a keep-alive at least this often."""
    MAX_WAIT: float = 25.0
    """Seconds for which a poll is held at most that would wait for something. Proxies give an
    answer up that does not begin for half a minute."""
    RETRY: float = 1.0
    """Mean of the reconnection delay that streams are told; each gets 50 to 150 % of it."""
    TICK: float = 0.25
    """How often each worker looks for events that nobody announced."""
    MAX_CHANNELS_PER_STREAM: int = 100
    MAX_STREAMS_PER_USER: int = 50
    MAX_STREAMS_PER_ADDRESS: int = 1000
    """Streams of clients that are not logged in, per network address."""
    STREAM_BUFFER: int = 256 * 1024
    """What a slow reader may leave unread before its stream is cut (it resumes where it was)."""
    STALL_TIMEOUT: float = 15.0
    """A reader that takes nothing for this long, although something waits for it, is cut."""
    REPLAY_PAGE: int = 1000
    """Events read from the log at once."""
    RING: int = 4096
    """Recent events that each worker keeps in memory for streams that have just opened."""
    RECHECK_INTERVAL: float = 60.0
    """Rights of open streams are asked again this often, beside every announced change."""
    MAX_MEMBERS: int = 100
    """Users in one presence channel."""
    MAX_MEMBER_INFO: int = 1024
    """What a member may tell the others about itself."""
    ACTIVITY_TIMEOUT: float = 30.0
    """A WebSocket on which the client is silent for so long is pinged; if there is no answer for as
    long again, it is closed. Clients are told to ping as often when they hear nothing."""
    MAX_MESSAGE: int = 64 * 1024
    """Size of a message on a WebSocket that clients may send."""
    MAX_CLIENT_EVENT: int = 10 * 1024
    """Size of the data of an event that a client sends to others."""
    MAX_CLIENT_EVENTS: int = 10
    """Events that a client may send to others in a second."""
    EDITING_LEASE: float = 30.0
    """Who is editing something says so again before this has passed, or is not shown any more."""
    EDITING_RATE: int = 120
    """How often in a minute a user may say that."""
    TICKET_MAX_AGE: float = 30.0
    MAX_TRIGGER_CHANNELS: int = 100
    """Channels that one request to the HTTP API may send an event to."""
    MAX_TRIGGER_BATCH: int = 10
    """Events that one request to the HTTP API may send."""
    MAX_TRIGGER_DATA: int = 10 * 1024
    """Size of the data of an event that comes by the HTTP API."""
    WEBHOOK_BUFFER: int = 16 * 1024 * 1024
    """What may wait for a webhook's receiver in each process; the oldest is dropped beyond."""
    LOG_MAX_AGE: float = 24 * 60 * 60.0
    LOG_MAX_EVENTS: int = 1_000_000
    PRUNE_INTERVAL: float = 60.0
    METRICS_TOKEN: str = ""
    """By which ``/metrics`` may be read, as ``Authorization: Bearer …``. Empty: by staff alone."""
    THREADS: int = 8
    """Threads that run Django's requests in each worker."""


def known_settings() -> "dict[str, Field[Any]]":
    """The settings by their names in Django's settings."""
    return {PREFIX + field.name: field for field in fields(Settings)}


def from_environ(environ: Mapping[str, str]) -> dict[str, Any]:
    """The Django settings that the ``REALTIME_*`` variables of `environ` ask for.

    Raises `ImproperlyConfigured` with one line that names the variable, for an unknown name as
    for a wrong value.
    """
    known = known_settings()
    found: dict[str, Any] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        if name not in known:
            raise ImproperlyConfigured(
                f"{name} is not a setting. There are: {', '.join(sorted(known))}."
            )
        default = known[name].default
        found[name] = _convert(name, environ[name], type(default))
    return found


_MOST = {"REALTIME_KEEP_ALIVE": 15.0}
"""Clients and proxies take a stream for dead that is silent for much longer."""

_EXPECTED = {int: "a whole number above 0", float: "a number above 0"}


def _convert(name: str, value: Any, kind: type) -> Any:
    if name in _TEXTS:
        return _text(name, value, _TEXTS[name])
    convert: Callable[[Any], Any] = kind
    try:
        converted = convert(value)
    except (TypeError, ValueError):
        converted = None
    most = _MOST.get(name, 10**12)
    if not (converted and 0 < converted <= most):
        limit = f", at most {most:g}" if name in _MOST else ""
        raise ImproperlyConfigured(f"{name} is {value!r}: it must be {_EXPECTED[kind]}{limit}.")
    return converted


def _text(name: str, value: Any, kind: tuple[Callable[[str], bool], str]) -> str:
    is_valid, expected = kind
    if not (isinstance(value, str) and is_valid(value)):
        # It may have a password in it, which is not for the log that this line ends up in.
        raise ImproperlyConfigured(f"{name} is wrong: it must be {expected}.")
    return value


def is_token(text: str) -> bool:
    """Whether nobody could guess it, and a header can carry it."""
    return re.fullmatch(r"[A-Za-z0-9._~+/=-]{16,}", text) is not None


def _is_broker(url: str) -> bool:
    return url.partition(":")[0] in BROKERS


def are_proxies(urls: str) -> bool:
    """Whether these are URLs of GRIP proxies, with their keys and commas between."""
    return all(_is_proxy(url.strip()) for url in urls.split(","))


def _is_proxy(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Reading the port raises ValueError if it is none.
        is_address = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    # Without a key, anybody could pass for the proxy.
    return bool(is_address) and "key" in parse_qs(parts.query)


def _are_patterns(text: str) -> bool:
    return all(_PATTERN.fullmatch(pattern) for pattern in text.split())


_PATTERN = re.compile(r"[-a-zA-Z0-9_=@,.;*]+")

_TEXTS = {
    "REALTIME_PUBLIC_CHANNELS": (
        _are_patterns,
        "names of channels, with * for any characters and blanks between, like news scores-*",
    ),
    "REALTIME_BROKER_URL": (
        _is_broker,
        "a URL like redis://localhost:6379/0 or postgres://user:password@host/name",
    ),
    "REALTIME_GRIP_URL": (
        are_proxies,
        "a URL like http://127.0.0.1:5561?key=secret, or several, separated by commas",
    ),
    "REALTIME_METRICS_TOKEN": (is_token, TOKEN_FORM),
}


class _LazySettings:
    """Reads `Settings` from Django's settings at the first access."""

    def __init__(self) -> None:
        self._settings: Settings | None = None

    def __getattr__(self, name: str) -> Any:
        if self._settings is None:
            self._settings = self._read()
        return getattr(self._settings, name)

    def reset(self, *, setting: str, **kwargs: object) -> None:
        if setting.startswith(PREFIX):
            self._settings = None

    @staticmethod
    def _read() -> Settings:
        values = {}
        for field in fields(Settings):
            name = PREFIX + field.name
            if hasattr(django_settings, name):
                values[field.name] = _convert(
                    name, getattr(django_settings, name), type(field.default)
                )
        return Settings(**values)


def pusher_app() -> App | None:
    """The application that Pusher's clients and servers know this project by: Django's settings
    ``PUSHER_APP_ID``, ``PUSHER_KEY`` and ``PUSHER_SECRET``. None if these are not set."""
    values = pusher_values()
    return App(*values.values()) if all(values.values()) else None


def pusher_values() -> dict[str, Any]:
    """What Django's settings have of that application, by their names."""
    return {name: getattr(django_settings, name, "") for name in _PUSHER}


def pusher_fault(values: Mapping[str, Any]) -> str:
    """What is wrong with an application's id, key and secret, by the names of their settings, as a
    sentence; empty if nothing is, or if there are none of them."""
    given = [name for name in _PUSHER if values[name]]
    if given and len(given) < len(_PUSHER):
        missing = ", ".join(name for name in _PUSHER if name not in given)
        return f"{', '.join(_PUSHER[:-1])} and {_PUSHER[-1]} belong together; missing: {missing}."
    for name in given:
        pattern, allowed = _PUSHER_FORMS[name]
        value = values[name]
        if not (isinstance(value, str) and re.fullmatch(pattern, value)):
            shown = "wrong" if name == "PUSHER_SECRET" else repr(value)
            return f"{name} is {shown}: it must be text that has only {allowed}."
    return ""


# The `pusher` library for Python takes no other ids, and keys are a part of paths.
_PUSHER_FORMS = {
    "PUSHER_APP_ID": ("[0-9]+", "digits"),
    "PUSHER_KEY": ("[-A-Za-z0-9_]+", "letters, digits, - and _"),
    "PUSHER_SECRET": (r"[^\ud800-\udfff]+", "characters that UTF-8 has"),
}
_PUSHER = tuple(_PUSHER_FORMS)


def pusher_encryption_key() -> bytes:
    """The 32 bytes from which encrypted channels have their secrets: Django's setting
    ``PUSHER_ENCRYPTION_MASTER_KEY``. Empty without it."""
    key: bytes = getattr(django_settings, "PUSHER_ENCRYPTION_MASTER_KEY", b"")
    return key


def webhook_urls() -> tuple[str, ...]:
    """Who is told of what happens on channels: Django's setting ``PUSHER_WEBHOOK_URLS``."""
    return tuple(getattr(django_settings, "PUSHER_WEBHOOK_URLS", ()))


def allowed_origins() -> frozenset[str]:
    """The other origins whose pages may act for a user: django-cors-headers' setting
    ``CORS_ALLOWED_ORIGINS``."""
    return frozenset(getattr(django_settings, "CORS_ALLOWED_ORIGINS", ()))


settings = _LazySettings()
setting_changed.connect(settings.reset)
