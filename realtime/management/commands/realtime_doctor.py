"""``manage.py realtime_doctor``: is everything as it should be?"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.conf import settings
from realtime.operations import doctor, outside
from realtime.operations.findings import PROBLEM, WARNING, Finding
from realtime.plain import counted

_MORE = 5.0
"""Seconds beyond two keep-alives' time."""


class Command(BaseCommand):
    """Prints a line for each thing that was looked at."""

    help = (
        "Check settings, database, broker, clock, log and write paths; given its address, also a"
        " running server, and whether a proxy before it buffers, compresses, cuts, or strips"
        " Last-Event-ID. Each line says ok, warning or problem, and what to do. Ends with code 1 if"
        " there is a problem."
    )
    # What it would refuse for, it reports.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "url", nargs="?", help="where clients reach the server, like https://example.org"
        )
        parser.add_argument(
            "--patience",
            type=float,
            metavar="SECONDS",
            help="how long to wait for two keep-alives on a quiet stream (default: twice"
            f" REALTIME_KEEP_ALIVE, and {_MORE:g} more)",
        )

    def handle(self, *args: Any, url: str | None, patience: float | None, **options: Any) -> None:
        base = _base(url) if url else None
        if patience is not None and not patience > 0:
            raise CommandError("--patience is a number of seconds above 0.")
        levels = []
        for finding in _findings(base, patience):
            levels.append(finding.level)
            self.stdout.write(str(finding))
            self.stdout.flush()
        problems, warnings = levels.count(PROBLEM), levels.count(WARNING)
        if problems:
            told = counted(problems, "problem"), counted(warnings, "warning")
            raise CommandError(f"{', '.join(told)}.")
        self.stdout.write(f"No problem, {counted(warnings, 'warning')}.")


def _findings(base: str | None, patience: float | None) -> Iterator[Finding]:
    try:
        usual = 2 * settings.KEEP_ALIVE + _MORE
    except ImproperlyConfigured as error:
        yield Finding(PROBLEM, "settings", str(error), "Until then, nothing else can be looked at.")
        return
    yield from doctor.examine()
    if base:
        yield from outside.examine(base, usual if patience is None else patience)


def _base(url: str) -> str:
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        known = False
    if not known or parts.query or parts.fragment:
        raise CommandError(f"{url} is no address like https://example.org")
    return url.rstrip("/")
