"""Reads settings from the environment; a wrong value stops the start with one clear line."""

import base64
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from redis.connection import ConnectionPool

from realtime.conf import TOKEN_FORM, are_proxies, is_token, pusher_fault
from realtime.database.postgres import Connection

T = TypeVar("T")

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_RATE = re.compile(r"[1-9][0-9]{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)")
# What Django compares with a request's host: a name, .domain for all of its, an address, or *.
_HOST = re.compile(r"\*|\[[0-9a-f:.]+\]|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.I | re.A)
_DEVELOPMENT_APP = ("1", "development", "only-for-development")
_DEVELOPMENT_KEY = "only-for-development-" + "0123456789" * 3

SQLITE_OPTIONS = {
    # A transaction takes the write lock when it begins: once it has read, it might not get it.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
}

# A machine that is gone sends no end: without these, the kernel waits for a quarter of an hour.
POSTGRES_OPTIONS = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}

POOL_OPTIONS = {
    "min_size": 1,
    # Seconds that a request waits for a connection; while the database is away, it is refused then.
    "timeout": 3,
    # Each attempt to reconnect waits twice as long as the one before; after so many seconds they
    # begin anew when somebody asks, and so go on soon once the database is back.
    "reconnect_timeout": 2,
}


class Environment:
    """Variables of the environment, each read once, by its kind. An empty one counts as unset."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self.environ = os.environ if variables is None else variables

    def text(self, name: str, default: str = "") -> str:
        """Any text."""
        return self.environ.get(name) or default

    def flag(self, name: str, default: bool) -> bool:
        """1, true, yes or on; 0, false, no or off."""
        return self._read(name, default, lambda text: _FLAGS[text.lower()], "1 or 0")

    def number(self, name: str, default: int, least: int = 0, most: int = 10**9) -> int:
        """A whole number within limits."""
        expected = f"a whole number from {least} to {most}"
        return self._read(name, default, lambda text: _number(text, least, most), expected)

    def hosts(self, name: str, default: list[str]) -> list[str]:
        """A list of hosts, as Django's ALLOWED_HOSTS takes them."""
        return self._read(name, default, _hosts, "hosts like example.org, separated by commas")

    def origins(self, name: str, wildcards: bool = False) -> list[str]:
        """A list of origins: scheme, host and perhaps port, nothing more."""
        expected = "origins like https://example.org, separated by commas"
        return self._read(name, [], lambda text: _origins(text, wildcards), expected)

    def rate(self, name: str, default: str) -> str:
        """A number of requests per second, minute, hour or day."""
        return self._read(name, default, _rate, "a rate like 300/min")

    def pusher(self, debug: bool) -> tuple[str, str, str]:
        """Id, key and secret of the application that Pusher's clients know; all or none of them.

        Under DEBUG there is one whose secret everybody knows."""
        names = ("PUSHER_APP_ID", "PUSHER_KEY", "PUSHER_SECRET")
        app_id, key, secret = found = [self.text(name) for name in names]
        if not any(found) and debug:
            return _DEVELOPMENT_APP
        if fault := pusher_fault(dict(zip(names, found, strict=True))):
            raise ImproperlyConfigured(fault)
        return app_id, key, secret

    def encryption_key(self, name: str) -> bytes:
        """32 bytes in base64, empty if they are not set."""
        return self._read(name, b"", _key, "32 bytes in base64", secret=True)

    def urls(self, name: str) -> list[str]:
        """A list of HTTP addresses, to which something is sent."""
        expected = "addresses like https://example.org/hook, separated by commas"
        # They may have a password in them.
        return self._read(name, [], _urls, expected, secret=True)

    def choice(self, name: str, default: str, among: tuple[str, ...]) -> str:
        """One of several words; the first is the default."""
        return self._read(
            name, default, lambda text: among[among.index(text.lower())], " or ".join(among)
        )

    def secret_key(self, name: str, debug: bool) -> str:
        """Django's secret key; only under DEBUG there is a default."""
        key = self.text(name, _DEVELOPMENT_KEY if debug else "")
        if not key:
            raise ImproperlyConfigured(f"{name} must be set when DEBUG is off.")
        return key

    def token(self, name: str) -> str:
        """A secret by which somebody is let in, empty if there is none."""
        return self._read(name, "", _token, TOKEN_FORM, secret=True)

    def redis(self, name: str) -> str:
        """A Redis URL, empty if there is none."""
        expected = "a URL like redis://localhost:6379/0, with no other options than it has"
        return self._read(name, "", _redis, expected, secret=True)

    def proxies(self, name: str) -> str:
        """URLs of GRIP proxies with commas between, empty if there are none."""
        expected = "a URL like http://127.0.0.1:5561?key=secret, or several, separated by commas"
        return self._read(name, "", _proxies, expected, secret=True)

    def database(self, name: str, default: str, pool_size: int = 10) -> dict[str, Any]:
        """Django's settings for the database at a URL; to PostgreSQL, a process has at most
        `pool_size` connections."""
        expected = (
            "a URL like postgres://user:password@host/name, or sqlite:////path/to/file in a"
            " folder that there is"
        )
        settings = self._read(name, _database(default), _database, expected, secret=True)
        options = settings.setdefault("OPTIONS", {})
        if settings["ENGINE"] == "django.db.backends.sqlite3":
            options.update(SQLITE_OPTIONS)
            # Kept by each request thread for as long as it works.
            return settings | {"CONN_MAX_AGE": None}
        options.update({**POSTGRES_OPTIONS, **options})
        options["pool"] = POOL_OPTIONS | {"max_size": pool_size, "connection_class": Connection}
        return settings | {"CONN_HEALTH_CHECKS": True}

    def _read(
        self,
        name: str,
        default: T,
        convert: Callable[[str], T],
        expected: str,
        *,
        secret: bool = False,
    ) -> T:
        text = self.environ.get(name)
        if not text:
            return default
        try:
            return convert(text.strip())
        except (KeyError, ValueError, ImproperlyConfigured):
            # A URL may have a password in it, which is not for the log that this line ends up in.
            value = "wrong" if secret else repr(text)
            raise ImproperlyConfigured(f"{name} is {value}: it must be {expected}.") from None


def _number(text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
        raise ValueError
    return int(text)


def _split(text: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(",")) if part]


def _hosts(text: str) -> list[str]:
    hosts = _split(text)
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise ValueError
    return hosts


def _origins(text: str, wildcards: bool) -> list[str]:
    # Browsers send them in lower case, and they are compared as they are.
    origins = [origin.lower() for origin in _split(text)]
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError
        host = parts.hostname or ""
        if "*" in host and wildcards:
            host = host.removeprefix("*.")
        elif ":" in host:
            host = f"[{host}]"
        # Reading the port raises ValueError if it is none.
        if parts.username or host[:1] in "*." or not _HOST.fullmatch(host) or parts.port == 0:
            raise ValueError
    return origins


def _urls(text: str) -> list[str]:
    urls = _split(text)
    for url in urls:
        parts = urlsplit(url)
        # Reading the port raises ValueError if it is none.
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
        # Names and passwords in an address are not sent by those who write to it.
        if parts.username or parts.fragment or not re.fullmatch(r"[!-~]+", url):
            raise ValueError
    return urls


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != 32:
        raise ValueError
    return key


def _rate(text: str) -> str:
    if not _RATE.fullmatch(text):
        raise ValueError
    return text


def _token(text: str) -> str:
    if not is_token(text):
        raise ValueError
    return text


def _redis(text: str) -> str:
    try:
        # Connects to nothing, and knows which options there are.
        ConnectionPool.from_url(text).make_connection()
    except TypeError as error:
        raise ValueError from error
    return text


def _proxies(text: str) -> str:
    if not are_proxies(text):
        raise ValueError
    return text


def _database(text: str) -> dict[str, Any]:
    if urlsplit(text).scheme not in environ.Env.DB_SCHEMES:
        raise ValueError
    settings: dict[str, Any] = environ.Env.db_url_config(text)
    engine, name = settings.get("ENGINE"), settings.get("NAME")
    if engine == "django.db.backends.sqlite3":
        # In memory, each thread would have a database of its own.
        if not name or ":memory:" in name or not Path(name).parent.is_dir():
            raise ValueError
    elif engine != "django.db.backends.postgresql" or not name:
        raise ValueError
    return settings
