"""Looks at an installation from inside: settings, database, broker, clock, log."""

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings as django_settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError
from django.urls import Resolver404, resolve
from django.utils import timezone

from realtime import log, models, sequencer
from realtime.brokers.remote import RemoteBroker
from realtime.conf import BROKERS, settings
from realtime.operations import database
from realtime.operations.endpoints import METRICS
from realtime.operations.findings import OK, PROBLEM, WARNING, Finding
from realtime.operations.views import MetricsView
from realtime.plain import counted, one_line, reason

_PATIENCE = 3.0
"""Seconds that a message may take through the broker."""
_WAITING = 5.0
"""Seconds for which an event may wait for its number."""


def examine() -> Iterator[Finding]:
    """Everything that can be seen from here, one thing after the other."""
    yield from _settings()
    reachable = True
    try:
        yield from database.examine()
    except (DatabaseError, InterfaceError) as error:
        reachable = False
        text = f"It can't be used: {reason(error)}."
        yield Finding(PROBLEM, "database", text, "Look at its settings, and whether it runs.")
    yield from _checks(reachable)
    yield from _broker()
    if reachable:
        yield from _guarded("log", _log)


def _guarded(subject: str, examination: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from examination()
    except (DatabaseError, InterfaceError) as error:
        text = f"It can't be read: {reason(error)}."
        yield Finding(PROBLEM, subject, text, "Run: python manage.py migrate")


def _settings() -> Iterator[Finding]:
    if django_settings.DEBUG:
        yield Finding(WARNING, "settings", "DEBUG is on.", "Turn it off in production.")
    # With a token, what is wrong with it is for the system checks to say.
    if not settings.METRICS_TOKEN:
        yield _metrics()


def _metrics() -> Finding:
    if not _is_at(METRICS, MetricsView):
        text = f"There is no {METRICS}: neither REALTIME_METRICS_TOKEN nor a view for staff."
        return Finding(OK, "settings", text)
    if find_spec("prometheus_client") is None:
        text = f"{METRICS} answers 501: it needs prometheus_client, which is not installed."
        advice = "Install this package with the extra `metrics`."
        return Finding(WARNING, "settings", text, advice)
    who = "everybody, for DEBUG is on" if django_settings.DEBUG else "staff that is logged in"
    return Finding(OK, "settings", f"Without REALTIME_METRICS_TOKEN, {METRICS} is for {who}.")


def _is_at(path: str, view: type) -> bool:
    try:
        found = resolve(path).func
    except Resolver404:
        return False
    return issubclass(getattr(found, "cls", object), view)


def _checks(reachable: bool) -> Iterator[Finding]:
    """Django's own, and this package's: among them, writes that go by unpublished."""
    found = checks.run_checks(
        include_deployment_checks=not django_settings.DEBUG,
        databases=[log.database()] if reachable else None,
    )
    found = [message for message in found if not message.is_silenced()]
    for message in found:
        level = PROBLEM if message.level >= checks.ERROR else WARNING
        text = one_line(" ".join(str(message.msg).split()))
        yield Finding(level, message.id or "check", text, one_line(str(message.hint or "")))
    if not found:
        yield Finding(OK, "checks", "All system checks pass; all write paths are covered.")


# The broker


def _broker() -> Iterator[Finding]:
    try:
        broker = sequencer.broker()
    except ImproperlyConfigured as error:
        yield Finding(PROBLEM, "broker", str(error))
        return
    if not isinstance(broker, RemoteBroker):
        workers = getattr(django_settings, "WEB_CONCURRENCY", 1)
        level = WARNING if workers > 1 else OK
        yield Finding(level, "broker", f"{broker.describe()}.", _ADVICE if workers > 1 else "")
        return
    try:
        took = asyncio.run(_round_trip(broker))
    except TimeoutError:
        yield Finding(
            PROBLEM,
            "broker",
            f"It takes messages, and none has come back within {_PATIENCE:g} s.",
            "A pooler loses them: set REALTIME_BROKER_URL to a direct URL, or to a redis:// one.",
        )
    except Exception as error:
        yield Finding(PROBLEM, "broker", f"It can't be reached: {reason(error)}.", _where())
    else:
        yield Finding(OK, "broker", f"{broker.describe()}; a round trip took {took * 1000:.1f} ms.")


_ADVICE = "Set REALTIME_BROKER_URL, or use PostgreSQL: then workers hear of each other at once."


def _where() -> str:
    """What says where the broker is, and what should run there."""
    url = settings.BROKER_URL
    if not url:
        return "That is the database: look at its settings, and whether it runs."
    if BROKERS[urlsplit(url).scheme] == BROKERS["redis"]:
        return "Look at REALTIME_BROKER_URL, and whether Redis runs there."
    return "Look at REALTIME_BROKER_URL, and whether PostgreSQL runs there."


async def _round_trip(broker: RemoteBroker) -> float:
    """Seconds. What is sent is a batch without events: workers look into the log, nothing more."""
    message = f"doctor-{secrets.token_hex(8)} "
    async with asyncio.timeout(_PATIENCE), aclosing(broker.messages()) as messages:
        began = 0.0
        async for heard in messages:
            text = heard.decode(errors="replace") if isinstance(heard, bytes) else heard
            if text == message:
                return time.monotonic() - began
            if not began:
                began = time.monotonic()
                await asyncio.to_thread(_send, broker, message)
    raise TimeoutError


def _send(broker: RemoteBroker, message: str) -> None:
    with broker.connect() as send:
        send(message)


# The log


def _log() -> Iterator[Finding]:
    now = log.extent()
    size = now.head.seq - now.floor.seq
    yield Finding(OK, "log", f"{counted(size, 'event')}, after {now.floor}, up to {now.head}.")
    yield from _misnumbered(now.head.seq)
    yield from _unnumbered()
    if size > settings.LOG_MAX_EVENTS * 1.1 + 1000:
        yield Finding(
            WARNING,
            "log",
            f"It should have been pruned to {settings.LOG_MAX_EVENTS} events.",
            "Run: python manage.py realtime_prune; and look why no worker does it.",
        )


def _misnumbered(head: int) -> Iterator[Finding]:
    rows: Any = models.Event.objects.using(log.database())
    if rows.filter(seq__gt=head).exists():
        yield Finding(
            PROBLEM,
            "log",
            "It has events after its head: the tables were not restored together.",
            "Restore realtime_event and realtime_head from the same backup.",
        )


def _unnumbered() -> Iterator[Finding]:
    old = timezone.now() - timedelta(seconds=_WAITING)
    rows: Any = models.Event.objects.using(log.database())
    waiting = rows.filter(seq=None, created_at__lt=old)
    if waiting.exists():
        yield Finding(
            PROBLEM,
            "log",
            f"Events have been waiting for their numbers for more than {_WAITING:g} s.",
            "Start a server; if one runs, its log says what keeps it.",
        )
