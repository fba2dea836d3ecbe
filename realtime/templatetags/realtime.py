"""What templates can say of real time."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django import template
from django.http import HttpResponse

register = template.Library()

_LINK = re.compile(r'<([^>]*)>; rel="stream"; last-event-id="([^"]*)"')


@register.simple_tag
def stream_link(response: HttpResponse) -> dict[str, Any] | None:
    """The stream that an answer's ``Link`` header names: its ``url``, its ``channels``, and the
    ``position`` from which it brings what the answer does not show. None if there is none."""
    found = _LINK.search(response.get("Link", ""))
    if found is None:
        return None
    url, position = found.groups()
    channels = parse_qs(urlsplit(url).query).get("channel", [])
    return {"url": url, "channels": channels, "position": position}
