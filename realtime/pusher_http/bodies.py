"""What the bodies of Pusher's HTTP API say.

Pusher's "HTTP API reference": ``POST /apps/ID/events`` and ``POST /apps/ID/batch_events``.
"""

from dataclasses import dataclass
from typing import Any

from realtime.conf import settings
from realtime.events import Event, check_socket_id, check_type, data_from_text, loads
from realtime.exceptions import InvalidBody, InvalidEvent, TooMuchData
from realtime.names import check_target


@dataclass(frozen=True, slots=True)
class Trigger:
    """One event for one or more channels, and what its sender wants to know of these."""

    events: tuple[Event, ...]
    info: frozenset[str]

    @property
    def channels(self) -> list[str]:
        """The names of its channels."""
        return [event.channel for event in self.events]


def read(body: bytes) -> dict[str, Any]:
    """The JSON object in a body; raises `InvalidBody`."""
    try:
        found = loads(body)
    except InvalidEvent as error:
        raise InvalidBody("The body is not JSON.") from error
    if not isinstance(found, dict):
        raise InvalidBody("The body is not a JSON object.")
    return found


def trigger(body: dict[str, Any]) -> Trigger:
    """The body of ``events``; raises `InvalidBody`, `InvalidChannel`, `InvalidEvent` or
    `TooMuchData`."""
    if body.get("channels") is None:
        return _trigger(body, [_text(body, "channel")])
    names = body["channels"]
    if not isinstance(names, list) or not names:
        raise InvalidBody("channels is not a list of names.")
    if len(names) > settings.MAX_TRIGGER_CHANNELS:
        raise InvalidBody(f"An event is sent to at most {settings.MAX_TRIGGER_CHANNELS} channels.")
    return _trigger(body, names)


def batch(body: dict[str, Any]) -> list[Trigger]:
    """The body of ``batch_events``; raises as `trigger` does."""
    items = body.get("batch")
    if not isinstance(items, list) or not items:
        raise InvalidBody("batch is not a list of events.")
    if len(items) > settings.MAX_TRIGGER_BATCH:
        raise InvalidBody(f"A batch has at most {settings.MAX_TRIGGER_BATCH} events.")
    if not all(isinstance(item, dict) for item in items):
        raise InvalidBody("batch is not a list of events.")
    return [_trigger(item, [_text(item, "channel")]) for item in items]


def attributes(text: str) -> frozenset[str]:
    """The names in an ``info``."""
    return frozenset(name for name in text.split(",") if name)


def _trigger(body: dict[str, Any], names: list[str]) -> Trigger:
    text = _text(body, "data")
    if len(text.encode("utf-8", "surrogatepass")) > settings.MAX_TRIGGER_DATA:
        raise TooMuchData(f"An event's data has at most {settings.MAX_TRIGGER_DATA} bytes.")
    line, kind = data_from_text(text), _text(body, "name")
    socket_id = body.get("socket_id")
    exclude = "" if socket_id is None else check_socket_id(socket_id)
    channels = dict.fromkeys(map(check_target, names))
    events = tuple(Event(name, check_type(kind, name), line, exclude=exclude) for name in channels)
    return Trigger(events, attributes(_text(body, "info", "")))


def _text(body: dict[str, Any], name: str, default: Any = None) -> str:
    found = body.get(name)
    found = default if found is None else found
    if not isinstance(found, str):
        raise InvalidBody(f"{name} is not a text." if name in body else f"There is no {name}.")
    return found
