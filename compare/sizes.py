"""How large a request's head is on the line: what a page can't see of its own requests."""

from collections.abc import Mapping
from typing import Any

_ADDED = ("HTTP_X_FORWARDED_", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA", "HTTP_X_REQUEST_")
"""Headers that proxies write, and browsers don't."""
_SEPARATORS = len(": \r\n")


def head(environ: Mapping[str, Any]) -> int:
    """Bytes of a request's header lines and of the empty line after them, as HTTP/1.1 writes them;
    without the request line, since it depends on the address."""
    fields = [
        (name.removeprefix("HTTP_"), value)
        for name, value in environ.items()
        if _is_header(name) and value
    ]
    return sum(len(name) + len(value) + _SEPARATORS for name, value in fields) + len("\r\n")


def _is_header(name: str) -> bool:
    if name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        return True
    return name.startswith("HTTP_") and not name.startswith(_ADDED)
