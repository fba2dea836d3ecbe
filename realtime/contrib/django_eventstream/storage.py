"""``EVENTSTREAM_STORAGE_CLASS``: the log."""

from typing import Any

from django_eventstream.event import Event as StoredEvent
from django_eventstream.storage import EventDoesNotExist, StorageBase

from realtime import log, triggers
from realtime.contrib.django_eventstream.numbers import number, position
from realtime.contrib.django_eventstream.texts import to_data, to_text
from realtime.events import Event, check_type
from realtime.exceptions import InvalidEventId, PositionLost
from realtime.names import check_target


class LogStorage(StorageBase):  # type: ignore[misc]
    """Keeps events in the log: in the caller's transaction, numbered when it commits, or before."""

    def append_event(self, channel: str, event_type: str, data: str) -> Any:
        """Appends an event. Its id is 0: it may get its number only after the commit. Raises
        `InvalidChannel` or `InvalidEvent`."""
        kind = check_type(event_type, channel)
        triggers.send([Event(check_target(channel), kind, to_data(data))])
        return StoredEvent(channel, event_type, data, id=0)

    def get_events(self, channel: str, last_id: int, limit: int = 100) -> list[Any]:
        """The channel's events after `last_id`. Raises `EventDoesNotExist` if that is not known."""
        try:
            page = log.read_after(position(last_id), [channel], limit)
        except (InvalidEventId, PositionLost) as error:
            message = f"No such event {last_id}"
            raise EventDoesNotExist(message, self.get_current_id(channel)) from error
        return [
            StoredEvent(channel, event.type, to_text(event.data), id=number(event.position))
            for event in page.events
        ]

    def get_current_id(self, channel: str) -> int:
        """The log's position now, which is that of all channels."""
        return number(log.head())
