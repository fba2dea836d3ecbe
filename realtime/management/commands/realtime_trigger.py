"""``manage.py realtime_trigger``: sends an event."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

import realtime
from realtime import sequencer
from realtime.brokers.remote import RemoteBroker
from realtime.events import loads
from realtime.exceptions import RealtimeError
from realtime.operations.installed import log_expected
from realtime.plain import reason


class Command(BaseCommand):
    """As `realtime.trigger` does."""

    help = (
        "Send an event to a channel: it is logged, and reaches who is connected and who comes back."
        ' Quote the JSON: realtime_trigger news headline \'{"text": "hello"}\''
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("channel", help="a channel's whole name")
        parser.add_argument("event", help="the event's type")
        parser.add_argument("json", nargs="?", default="null", help="its data (default: null)")
        parser.add_argument(
            "--ephemeral",
            action="store_true",
            help="log nothing: it reaches only those who are connected now",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            data = loads(options["json"])
        except RealtimeError as error:
            raise CommandError(f"The data is not JSON: {options['json']!r}") from error
        if options["ephemeral"]:
            _require_broker()
        try:
            with log_expected():
                realtime.trigger(
                    options["channel"], options["event"], data, ephemeral=options["ephemeral"]
                )
        except RealtimeError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Sent {options['event']} to {options['channel']}.")


def _require_broker() -> None:
    """An event that is in no log reaches other processes by the broker, or not at all."""
    broker = sequencer.broker()
    if isinstance(broker, RemoteBroker):
        try:
            with broker.connect():
                return
        except Exception as error:
            raise CommandError(f"The broker can't be reached: {reason(error)}.") from error
    raise CommandError(
        "There is no broker that would take an ephemeral event to the server: set"
        " REALTIME_BROKER_URL, or use PostgreSQL."
    )
