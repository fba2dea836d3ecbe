"""In place of django-eventstream's listeners, which are those of one process: the hubs of all."""

from typing import Any

from django_eventstream.views import ListenerManager

from realtime import sequencer
from realtime.contrib.django_eventstream.texts import to_data
from realtime.events import Batch, Event, check_type
from realtime.names import check_target
from realtime.rights import revocation


class Listeners(ListenerManager):  # type: ignore[misc]
    """Told by ``send_event`` and ``channel_permission_changed`` of what they do."""

    def add_to_queues(self, channel: str, event: Any) -> None:
        """Hands an event that was not stored to all who are connected. One that was stored is in
        the log, which does so by itself."""
        if event.id is None:
            kind = check_type(event.type, channel)
            passing = Event(check_target(channel), kind, to_data(event.data))
            sequencer.broker().publish(Batch((passing,)))

    def kick(self, user_id: Any, channel: str) -> None:
        """Has all workers ask again who may read a channel."""
        revocation.recheck(channel)
