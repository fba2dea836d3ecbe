"""``manage.py realtime_tail``: follows channels in the terminal."""

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from realtime.events import Event, EventId
from realtime.exceptions import InvalidChannel, InvalidEventId, PositionLost
from realtime.names import check_target
from realtime.operations import tail
from realtime.operations.installed import log_expected
from realtime.operations.interrupts import until_ctrl_c


class Command(BaseCommand):
    """Prints a line for each event, until Ctrl-C."""

    help = (
        "Follow channels: one line for each event, straight from the log, whether a server runs or"
        " not. Ephemeral events are in no log, and so not shown. Ctrl-C ends."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("channels", nargs="*", metavar="channel", help="a channel's whole name")
        parser.add_argument("--all", action="store_true", help="all channels")
        parser.add_argument(
            "--since", metavar="ID", help="from this event id on, like 8-9e19b4d0 (default: now)"
        )
        parser.add_argument(
            "--json", action="store_true", help="a JSON object for each event: id, event, data, …"
        )
        parser.add_argument(
            "--limit", type=int, metavar="N", help="end after so many events (default: never)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        channels = _channels(options["channels"], options["all"])
        if options["limit"] is not None and options["limit"] < 1:
            raise CommandError("--limit is a number above 0.")
        try:
            position = EventId.parse(options["since"]) if options["since"] else None
        except InvalidEventId as error:
            raise CommandError("--since takes an event's id, like 8-9e19b4d0.") from error
        try:
            show = tail.as_json if options["json"] else tail.line
            with log_expected(), until_ctrl_c() as pause:
                self._follow(tail.follow(position, channels, pause), options["limit"], show)
        except PositionLost as lost:
            reason = {"pruned": "it was pruned"}.get(lost.reason, "it is not of this log")
            raise CommandError(f"Nothing can be read from {position} on: {reason}.") from lost
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:
            # Whoever read this has enough. Python would complain when it flushes at the end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _follow(
        self, told: Iterable[Event | tail.Notice], limit: int | None, show: Callable[[Event], str]
    ) -> None:
        left = limit
        for found in told:
            if isinstance(found, Event):
                self.stdout.write(show(found))
                self.stdout.flush()
                if left is not None:
                    left -= 1
                    if left == 0:
                        return
            else:
                self.stderr.write(found.text)


def _channels(names: list[str], everything: bool) -> list[str]:
    if everything and names:
        raise CommandError(f"{' '.join(names)} and --all were both given: leave one out.")
    if not everything and not names:
        raise CommandError("Name the channels to follow, or say --all.")
    try:
        return [check_target(name) for name in names]
    except InvalidChannel as error:
        raise CommandError(str(error)) from error
