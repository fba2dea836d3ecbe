"""What the bodies of Pusher's HTTP API say.

Pusher's "HTTP API reference": ``POST /apps/ID/events`` and ``POST /apps/ID/batch_events``.
"""

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from realtime.conf import settings
from realtime.events import Event, check_socket_id, check_type, dumps
from realtime.exceptions import InvalidBody, TooMuchData
from realtime.names import check_target

# What JSON allows within strings only, or as white space, and a line of the wire does not.
_ONE_LINE = {
    ord("\n"): " ",
    ord("\r"): " ",
    **{code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029, *range(0xD800, 0xE000))},
}


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
        found = json.loads(body, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
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


def data(text: str) -> str:
    """An event's data, one line of JSON, for the text that libraries send as its data.

    That is JSON as a rule, and stays as it is, to the digit; else it becomes a JSON string.
    """
    try:
        json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError):
        return dumps(text)
    return text.translate(_ONE_LINE)


def text(data: str) -> str:
    """What clients get as an event's data: the inverse of `data`."""
    found = json.loads(data)
    if isinstance(found, str):
        try:
            json.loads(found, parse_constant=_no_json)
        except (ValueError, RecursionError):
            return found
    return data


def _trigger(body: dict[str, Any], names: list[str]) -> Trigger:
    text = _text(body, "data")
    if len(text.encode("utf-8", "surrogatepass")) > settings.MAX_TRIGGER_DATA:
        raise TooMuchData(f"An event's data has at most {settings.MAX_TRIGGER_DATA} bytes.")
    line, kind = data(text), _text(body, "name")
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


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")
