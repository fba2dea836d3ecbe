"""Reads settings from the environment; a wrong value stops the start with one clear line."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

_FLAGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}
_RATE = re.compile(r"[1-9][0-9]{0,8}/(s|sec|second|m|min|minute|h|hour|d|day)")
_DEVELOPMENT_KEY = "only-for-development-" + "0123456789" * 3

SQLITE_OPTIONS = {
    # A transaction takes the write lock when it begins: once it has read, it might not get it.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
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

    def number(self, name: str, default: int) -> int:
        """A whole number from 0 on."""
        return self._read(name, default, _natural, "a whole number")

    def names(self, name: str, default: list[str]) -> list[str]:
        """A list, separated by commas."""
        return self._read(name, default, _split, "names, separated by commas")

    def origins(self, name: str) -> list[str]:
        """A list of origins: scheme, host and perhaps port, nothing more."""
        return self._read(name, [], _origins, "origins like https://example.org, with commas")

    def rate(self, name: str, default: str) -> str:
        """A number of requests per second, minute, hour or day."""
        return self._read(name, default, _rate, "a rate like 300/min")

    def secret_key(self, name: str, debug: bool) -> str:
        """Django's secret key; only under DEBUG there is a default."""
        key = self.text(name, _DEVELOPMENT_KEY if debug else "")
        if not key:
            raise ImproperlyConfigured(f"{name} must be set when DEBUG is off.")
        return key

    def redis(self, name: str) -> str:
        """A Redis URL, empty if there is none."""
        return self._read(name, "", _redis, "a URL like redis://localhost:6379/0")

    def database(self, name: str, default: str) -> dict[str, Any]:
        """Django's settings for the database at a URL."""
        expected = "a URL like postgres://user:password@host/name or sqlite:////path"
        settings = self._read(name, _database(default), _database, expected)
        if settings["ENGINE"] == "django.db.backends.sqlite3":
            settings.setdefault("OPTIONS", {}).update(SQLITE_OPTIONS)
        # Kept by each request thread for as long as it works.
        return settings | {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}

    def _read(self, name: str, default: T, convert: Callable[[str], T], expected: str) -> T:
        text = self.environ.get(name)
        if not text:
            return default
        try:
            return convert(text.strip())
        except (KeyError, ValueError, ImproperlyConfigured):
            raise ImproperlyConfigured(f"{name} is {text!r}: it must be {expected}.") from None


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _split(text: str) -> list[str]:
    return [part for part in (part.strip() for part in text.split(",")) if part]


def _origins(text: str) -> list[str]:
    origins = _split(text)
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or origin != f"{parts.scheme}://{parts.netloc}":
            raise ValueError
        if not parts.hostname or parts.username:
            raise ValueError
    return origins


def _rate(text: str) -> str:
    if not _RATE.fullmatch(text):
        raise ValueError
    return text


def _redis(text: str) -> str:
    if urlsplit(text).scheme not in ("redis", "rediss", "unix"):
        raise ValueError
    return text


def _database(text: str) -> dict[str, Any]:
    settings: dict[str, Any] = environ.Env.db_url_config(text)
    if settings.get("ENGINE") not in (
        "django.db.backends.sqlite3",
        "django.db.backends.postgresql",
    ):
        raise ValueError
    return settings
