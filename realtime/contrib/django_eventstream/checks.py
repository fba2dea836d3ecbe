"""System checks of a project that comes from django-eventstream."""

from collections.abc import Iterable, Iterator
from typing import Any

import django_eventstream.views
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning
from django.urls import URLPattern, get_resolver
from django_eventstream.viewsets import EventsViewSet as TheirViewSet

from realtime.contrib.django_eventstream.viewsets import EventsViewSet

_HERE = "realtime.contrib.django_eventstream"
_STORAGE = f"{_HERE}.storage.LogStorage"
_IGNORED = {
    "EVENTSTREAM_REDIS": "Set REALTIME_BROKER_URL instead: with it, send_event() would tell what is"
    " not stored to nobody.",
    "EVENTSTREAM_STORAGE_CONNECTION": "The log is in the database.",
}


def check_move(**kwargs: Any) -> list[CheckMessage]:
    """Names what is still django-eventstream's own."""
    return [*_settings(), *_routes(get_resolver().url_patterns)]


def _settings() -> Iterator[CheckMessage]:
    if getattr(settings, "EVENTSTREAM_STORAGE_CLASS", None) != _STORAGE:
        yield Warning(
            "What send_event() sends is not in the log: who is not connected misses it.",
            hint=f'Set EVENTSTREAM_STORAGE_CLASS = "{_STORAGE}".',
            id="realtime.W006",
        )
    if not hasattr(settings, "EVENTSTREAM_CHANNELMANAGER_CLASS"):
        yield Warning(
            "channel_permission_changed() asks a channel manager that allows everything.",
            hint="Set EVENTSTREAM_CHANNELMANAGER_CLASS"
            f' = "{_HERE}.channelmanager.ChannelManager", or to your own.',
            id="realtime.W007",
        )
    for name, hint in _IGNORED.items():
        if hasattr(settings, name):
            yield Warning(f"{name} has no use here.", hint=hint, id="realtime.W008")


def _routes(patterns: Iterable[Any], before: str = "") -> Iterator[CheckMessage]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if not isinstance(pattern, URLPattern):
            yield from _routes(pattern.url_patterns, route)
        elif _is_theirs(pattern.callback):
            yield Error(
                f"Streams at {route} are django-eventstream's own, which would wait for ever.",
                hint=f"Include {_HERE}.urls, and import viewsets from {_HERE}.viewsets.",
                id="realtime.E009",
            )


def _is_theirs(callback: Any) -> bool:
    view = getattr(callback, "cls", None)
    if isinstance(view, type) and issubclass(view, TheirViewSet):
        return not issubclass(view, EventsViewSet)
    return callback is django_eventstream.views.events
