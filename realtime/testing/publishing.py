"""What a block of code publishes, and whether that is what it should."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import ndiff
from typing import Any
from unittest import mock

from django.db import connections
from rest_framework.utils.encoders import JSONEncoder

from realtime import log, sequencer
from realtime.brokers import Broker
from realtime.events import Batch, Event
from realtime.names import CONTROL

Expected = tuple[str, str] | tuple[str, str, Mapping[str, Any]]
"""Channel and type, and perhaps what the data has, among other things."""


def settle() -> None:
    """Gives their numbers to all events that were appended so far.

    That is the sequencer's job, once a transaction is committed. One that a ``TestCase`` is in
    never is; but what it has written it can see. All of this kit does so by itself; call it before
    a request whose answer's position counts.
    """
    while log.waits():
        log.sequence()
    alias = log.database()
    if connections[alias].vendor == "postgresql" and connections[alias].in_atomic_block:
        # The sequencer's limit is for a transaction of its own; a test may take its time.
        with connections[alias].cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = DEFAULT")


class _Ear(Broker):
    """A broker that keeps what is in no log, and passes everything on."""

    def __init__(self, broker: Broker, heard: list[Event]) -> None:
        self._broker = broker
        self._heard = heard

    def publish(self, batch: Batch) -> None:
        if batch.after is None:
            self._heard += batch.events
        self._broker.publish(batch)

    def listen(self) -> Any:
        return self._broker.listen()

    def describe(self) -> str:
        return self._broker.describe()


@contextmanager
def capture_events() -> Iterator[list[Event]]:
    """Yields a list which holds, after the block, the events that it published: those of the log,
    in order, and then the ephemeral ones. What was rolled back was never published."""
    settle()
    position = log.head()
    captured: list[Event] = []
    passing: list[Event] = []
    ear = _Ear(sequencer.broker(), passing)
    with mock.patch.object(sequencer, "broker", return_value=ear):
        yield captured
    settle()
    complete = False
    while not complete:
        page = log.read_after(position)
        captured += [event for event in page.events if event.channel != CONTROL]
        position, complete = page.upto, page.complete
    captured += passing


@contextmanager
def assert_publishes(*expected: Expected) -> Iterator[list[Event]]:
    """Asserts that the block publishes exactly the events `expected`, in this order.

    Each is a channel and a type, and perhaps a mapping of what the event's data has, whatever else
    is in it::

        with assert_publishes(("private-notes", "note.created", {"text": "Milk"})):
            Note.objects.create(text="Milk")

    Without arguments: that it publishes nothing. Ephemeral events come last. Yields the list of
    `capture_events`. Raises AssertionError with both lists, compared line by line.
    """
    with capture_events() as captured:
        yield captured
    wanted = [_text(*one) for one in expected]
    lines = [_shown(event, expected[number:] + expected) for number, event in enumerate(captured)]
    if lines != wanted:
        raise AssertionError(
            "What was published (+) is not what should have been (-):\n"
            + "\n".join(line.rstrip() for line in ndiff(wanted, lines))
        )


def _shown(event: Event, expected: tuple[Expected, ...]) -> str:
    """The event as the first of those expected would have it that is of its channel and type: of
    its data, what that asks for. As a whole if there is none."""
    data = json.loads(event.data)
    for channel, kind, *wanted in expected:
        if (channel, kind) == (event.channel, event.type):
            if not wanted:
                return _text(channel, kind)
            if isinstance(data, dict) and wanted[0].keys() <= data.keys():
                data = {name: data[name] for name in wanted[0]}
            break
    return _text(event.channel, event.type, data)


def _text(channel: str, kind: str, *data: Any) -> str:
    # JSON, by which data is compared as it is sent: a tuple is a list, a date is a text.
    dumped = (json.dumps(value, cls=JSONEncoder, sort_keys=True) for value in data)
    return " ".join((channel, kind, *dumped))
