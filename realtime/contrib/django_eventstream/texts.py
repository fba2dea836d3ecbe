"""An event's data as django-eventstream has it, any text, within the log's, which is JSON.

JSON stays as it is. Another text becomes a JSON string with a space before it, as no encoder writes
it: so it can be told from the JSON string that an application has sent as such.
"""

import json
import re

from realtime import events
from realtime.exceptions import InvalidEvent

_MARK = " "


def to_data(text: str) -> str:
    """The log's data for a text."""
    if text[:1].isspace() or len(text.splitlines()) > 1:
        return _MARK + events.dumps(text)
    try:
        events.loads(text)
    except InvalidEvent:
        return _MARK + events.dumps(text)
    return text


def to_text(data: str) -> str:
    """The text whose data this is, or JSON that came into the log in another way."""
    return str(json.loads(data)) if data.startswith(f'{_MARK}"') else data


def lines(text: str) -> list[str]:
    """The text's lines, as Server-Sent Events separate them."""
    return re.split(r"\r\n|\r|\n", text)
