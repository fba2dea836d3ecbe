"""``manage.py realtime_prune``: deletes old events from the log."""

import math
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime import log
from realtime.conf import settings
from realtime.operations.installed import log_expected
from realtime.plain import counted
from realtime.publishing import keys


class Command(BaseCommand):
    """Deletes events by age and number; workers do the same by themselves, every minute."""

    help = "Delete old events from the log. Clients that resume from before them will refetch."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--max-age",
            type=float,
            metavar="SECONDS",
            help="keep events that are not older (default: REALTIME_LOG_MAX_AGE)",
        )
        parser.add_argument(
            "--max-events",
            type=int,
            metavar="N",
            help="keep at most so many (default: REALTIME_LOG_MAX_EVENTS)",
        )

        parser.add_argument(
            "--dry-run", action="store_true", help="delete nothing, say how much it would be"
        )

    def handle(
        self, *args: Any, max_age: float | None, max_events: int | None, **options: Any
    ) -> None:
        try:
            max_age = settings.LOG_MAX_AGE if max_age is None else max_age
            max_events = settings.LOG_MAX_EVENTS if max_events is None else max_events
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        if not math.isfinite(max_age):
            raise CommandError("--max-age is a number of seconds.")
        if max_age < 0 or max_events < 0:
            raise CommandError("Neither --max-age nor --max-events can be negative.")
        try:
            with log_expected():
                if options.get("dry_run"):
                    self._forecast(max_age, max_events)
                else:
                    keys.prune(log.database())
                    deleted = _events(log.prune(max_age, max_events))
                    self.stdout.write(f"Deleted {deleted}.{_rest()}")
        except OverflowError as error:
            raise CommandError("--max-age is more seconds than there have been.") from error

    def _forecast(self, max_age: float, max_events: int) -> None:
        target = log.prunable(max_age, max_events)
        count = target.seq - log.extent().floor.seq if target else 0
        self.stdout.write(f"Would delete {_events(count)}.{_rest(count)}")


def _rest(without: int = 0) -> str:
    now = log.extent()
    left = now.head.seq - now.floor.seq - without
    return f" {left} {'remains' if left == 1 else 'remain'}."


def _events(number: int) -> str:
    return counted(number, "event")
