"""What tests of the log have in common."""

import json
from typing import Any

from realtime import log


class Journal:
    """What the log has got since one last looked."""

    def __init__(self) -> None:
        _number_all()
        self._position = log.head()

    def read(self) -> list[Any]:
        """The new events."""
        _number_all()
        page = log.read_after(self._position)
        self._position = page.upto
        return page.events

    def told(self) -> list[tuple[str, str, Any]]:
        """The new events' types, channels and data."""
        return [(event.type, event.channel, json.loads(event.data)) for event in self.read()]

    def types(self) -> list[str]:
        """The new events' types and channels, in words."""
        return [f"{kind} {channel}" for kind, channel, _ in self.told()]


def _number_all() -> None:
    while log.sequence().events:
        pass
