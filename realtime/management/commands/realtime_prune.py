"""``manage.py realtime_prune``: deletes old events from the log."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime import log
from realtime.conf import settings


class Command(BaseCommand):
    """Deletes events by age and number; workers do the same by themselves, every minute."""

    help = "Delete old events from the log. Clients that resume from before them will refetch."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--max-age",
            type=float,
            default=settings.LOG_MAX_AGE,
            metavar="SECONDS",
            help="keep events that are not older (default: REALTIME_LOG_MAX_AGE, %(default)s)",
        )
        parser.add_argument(
            "--max-events",
            type=int,
            default=settings.LOG_MAX_EVENTS,
            metavar="N",
            help="keep at most so many (default: REALTIME_LOG_MAX_EVENTS, %(default)s)",
        )

    def handle(self, *args: Any, max_age: float, max_events: int, **options: Any) -> None:
        if max_age < 0 or max_events < 0:
            raise CommandError("Neither --max-age nor --max-events can be negative.")
        pruned = log.prune(max_age, max_events)
        self.stdout.write(f"Deleted {pruned} events.")
