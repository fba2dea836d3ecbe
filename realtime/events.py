"""The event, its position in the log, and its JSON. Pure: no I/O, no Django."""

import json
import math
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, NoReturn, Self

from realtime.exceptions import InvalidEvent, InvalidEventId
from realtime.names import is_presence

MAX_TYPE_LENGTH = 200
"""As Pusher limits event names."""
MAX_MUTATION_LENGTH = 64

MEMBER_JOINED = "member.joined"
MEMBER_LEFT = "member.left"
MEMBER_LIST = "member.list"
"""On a presence channel, only presence itself tells these; the list is in no log."""

_OF_MEMBERS = frozenset({MEMBER_JOINED, MEMBER_LEFT, MEMBER_LIST})
_ID = re.compile(r"(0|[1-9][0-9]{0,17})-([A-Za-z0-9_]{8})", re.ASCII)
_TYPE = re.compile(r"[^\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]{1,200}")
_RESERVED_TYPES = frozenset({"stream-open", "stream-reset", "stream-error", "keep-alive"})
_RESERVED_PREFIXES = ("pusher:", "pusher_internal:")
_LINE = re.compile(r"[^\r\n\ud800-\udfff]*")
# What JSON allows within strings only, or as white space, and a line of the wire does not.
_TO_ONE_LINE = {
    ord("\n"): " ",
    ord("\r"): " ",
    **{code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029, *range(0xD800, 0xE000))},
}
_UNUSUAL = re.compile("[\x85\u2028\u2029\ud800-\udfff]")
_SOCKET_ID = re.compile(r"(?=.{3,32}\Z)[0-9]+\.[0-9]+", re.ASCII)
_MUTATION = re.compile(r"[\x20-\x7e]{1,64}")


class EventId(NamedTuple):
    """A position in the log: an event's number and the nonce that was stored with it.

    The nonce tells this log from another one, or from a restored copy of itself, in which the
    same number belongs to a different event.
    """

    seq: int
    nonce: str

    def __str__(self) -> str:
        return f"{self.seq}-{self.nonce}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads what `str` wrote; raises `InvalidEventId` for anything else."""
        match = _ID.fullmatch(text)
        if match is None:
            raise InvalidEventId("This is not an event id.")
        return cls(int(match[1]), match[2])


NOWHERE = EventId(0, "nowhere_")
"""A position in no log, for no nonce is made of such letters: who resumes from it is reset."""


@dataclass(frozen=True)
class Event:
    """One change, on one channel.

    `data` is JSON text. `id` is None for an ephemeral event, which is in no log.
    """

    channel: str
    type: str
    data: str
    changed: tuple[str, ...] | None = None
    mutation: str | None = None
    id: EventId | None = None
    exclude: str = ""
    """The socket id of the connection that caused it and needs no telling, if there is one."""
    user_id: str = ""
    """The member of a presence channel who sent it, if one did; only of what is in no log."""
    at: float = field(default=0.0, compare=False)
    """When it was appended to the log, in seconds since 1970; 0 if that is not known."""
    frames: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What each transport encoded it to, so that it is done once."""

    @property
    def position(self) -> EventId:
        """The id of an event that is in the log; raises `InvalidEvent` for an ephemeral one."""
        if self.id is None:
            raise InvalidEvent("An ephemeral event has no position.")
        return self.id

    @cached_property
    def message(self) -> str:
        """The event as every client sees it: one line of JSON."""
        parts = [f'{{"channel":{json.dumps(self.channel)},"data":{self.data}']
        if self.changed is not None:
            parts.append(f',"changed":{dumps(self.changed)}')
        if self.mutation is not None:
            parts.append(f',"mutation":{json.dumps(self.mutation)}')
        if self.user_id:
            parts.append(f',"user_id":{dumps(self.user_id)}')
        return "".join(parts) + "}"


class Batch(NamedTuple):
    """Events that belong together.

    If they are numbered, they are neighbours in the log, and `after` is the position before the
    first: who is there may go on with them, who is elsewhere has to read the log. Without events it
    only says that there may be something to read.
    """

    events: tuple[Event, ...] = ()
    after: EventId | None = None


def dumps(value: Any, **options: Any) -> str:
    """Compact JSON without NaN or infinities, which JSON does not have.

    Line breaks are escaped, also those that only some readers take for one; so are lone
    surrogates, which UTF-8 cannot carry.
    """
    compact: dict[str, Any] = {"allow_nan": False, "separators": (",", ":"), **options}
    try:
        text = json.dumps(value, ensure_ascii=False, **compact)
        if text.isascii():
            return text
        if _UNUSUAL.search(text):
            return json.dumps(value, **compact)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent(f"This data has no JSON form: {error}") from error
    return text


def loads(text: str | bytes) -> Any:
    """The value of JSON text; raises `InvalidEvent` if it is none. NaN and infinities are not JSON,
    and what is nested too deep to be read is not taken for it."""
    try:
        return json.loads(text, parse_constant=_no_json)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent("This is not JSON.") from error


def data_from_text(text: str) -> str:
    """An event's data, one line of JSON, for the text that Pusher's libraries send as its data.

    That is JSON as a rule, and stays as it is, to the digit; else it becomes a JSON string.
    """
    try:
        loads(text)
    except InvalidEvent:
        return dumps(text)
    return text.translate(_TO_ONE_LINE)


def data_to_text(data: str) -> str:
    """What Pusher's clients get as an event's data, and decode if they can: JSON as it is, but a
    string bare, unless that would pass for JSON."""
    if data.startswith('"'):
        found = str(json.loads(data))
        try:
            loads(found)
        except InvalidEvent:
            return found
    return data


def _no_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


def check_type(name: str, channel: str = "") -> str:
    """Returns `name` if it can be an event's type, else raises `InvalidEvent`; given the `channel`,
    if an application may send such an event there."""
    if not isinstance(name, str) or not _TYPE.fullmatch(name):
        raise InvalidEvent(
            f"An event's type is 1 to {MAX_TYPE_LENGTH} characters, without control characters."
        )
    if name in _RESERVED_TYPES or name.startswith(_RESERVED_PREFIXES):
        raise InvalidEvent(f"The event type {name} belongs to the protocol.")
    if name in _OF_MEMBERS and is_presence(channel):
        raise InvalidEvent(f"On a presence channel, {name} tells of its members.")
    return name


def check_socket_id(text: str) -> str:
    """Returns `text` if a connection may have it as its id, else raises `InvalidEvent`."""
    if not isinstance(text, str) or not _SOCKET_ID.fullmatch(text):
        raise InvalidEvent("A socket id is two numbers with a point between, as in 123.456.")
    return text


def is_mutation_id(text: str) -> bool:
    """Whether a client may name a write `text`: 1 to 64 printable ASCII characters."""
    return _MUTATION.fullmatch(text) is not None


def encode(batch: Batch) -> str:
    """JSON of a batch, for sending between processes; `decode` reads it."""
    return dumps([batch.after and str(batch.after), [_row(event) for event in batch.events]])


def _row(event: Event) -> list[Any]:
    return [
        event.channel,
        event.type,
        event.data,
        event.changed,
        event.mutation,
        event.id and str(event.id),
        event.exclude,
        event.user_id,
        event.at,
    ]


def decode(text: str | bytes) -> Batch:
    """Reads what `encode` wrote; raises `InvalidEvent` for anything else."""
    try:
        after, rows = json.loads(text)
        batch = Batch(tuple(_decoded(*row) for row in rows), after and EventId.parse(after))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidEvent("This is not a batch of events.") from error
    if [event.id and event.id.seq for event in batch.events] != _numbers(batch):
        raise InvalidEvent("The events are not numbered as those of a batch are.")
    return batch


def _numbers(batch: Batch) -> list[int | None]:
    """What numbers the events must have: those after `after`, or none."""
    first = batch.after and batch.after.seq + 1
    return [first and first + n for n in range(len(batch.events))]


def _decoded(
    channel: str,
    kind: str,
    data: str,
    changed: Any,
    mutation: str | None,
    id: str | None,
    exclude: str,
    # Not known to older versions of this, beside which a new one runs while it is rolled out.
    user_id: str = "",
    at: float = 0.0,
) -> Event:
    if not (isinstance(channel, str) and isinstance(data, str)):
        raise TypeError("Channel and data are texts.")
    json.loads(data)
    if not _LINE.fullmatch(data):
        raise ValueError("Data is one line.")
    if not (isinstance(at, (int, float)) and math.isfinite(at)):
        raise ValueError("A moment is a number.")
    return Event(
        channel,
        check_type(kind),
        data,
        None if changed is None else tuple(map(str, changed)),
        None if mutation is None else str(mutation),
        id and EventId.parse(id),  # type: ignore[arg-type]
        str(exclude),
        str(user_id),
        at,
    )
