"""What a poll is answered: a page of events as JSON, and how long it may be waited for. Pure."""

import re
from collections.abc import Iterable, Sequence

from realtime.events import Event, EventId, dumps

FRAME = "json"
_SECONDS = re.compile(r'("?)([0-9]{1,9})\1', re.ASCII)


def encode(event: Event) -> str:
    """`event` as a page carries it; its data is as it was, to the digit."""
    frame: str | None = event.frames.get(FRAME)
    if frame is None:
        frame = f'{{"id":"{event.id}","event":{dumps(event.type)},"data":{event.message}}}'
        event.frames[FRAME] = frame
    return frame


def page(
    upto: EventId, events: Iterable[str], channels: Sequence[str] = (), reset: str | None = None
) -> bytes:
    """A page of encoded events, after which the client is at `upto`. With a reason for a `reset`,
    something may be missing before."""
    told = {"channels": list(channels), "reason": reset} if reset else None
    start = dumps({"last_event_id": str(upto), "reset": told})
    return f'{start[:-1]},"events":[{",".join(events)}]}}'.encode()


def wait(prefer: str) -> int:
    """For how many seconds a client would wait for an answer, by its header ``Prefer: wait=…``; 0
    if it does not say. What is not understood is passed over, as RFC 7240 wants."""
    for preference in prefer.split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            found = _SECONDS.fullmatch(value.strip())
            return int(found[2]) if found else 0
    return 0
