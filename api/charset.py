"""Refuses requests whose Content-Type keeps Django from reading even their query."""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

# Python also knows codecs that are no text (zlib), and some that fail on most of it (punycode).
READABLE = frozenset(("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"))

_BODY = b'{"detail": "The Content-Type header is malformed, or its charset unsupported."}'

Environ = dict[str, Any]
WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class ReadableCharset:
    """WSGI around Django, since no middleware of Django's comes early enough: already making the
    request object, it decodes the query by its charset, and what that raises nobody catches."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if _is_readable(environ.get("CONTENT_TYPE") or ""):
            return self._application(environ, start_response)
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(_BODY)))]
        start_response("400 Bad Request", headers)
        return [_BODY]


def _is_readable(content_type: str) -> bool:
    try:
        _, parameters = parse_header_parameters(content_type)
    except (LookupError, ValueError):
        return False
    return parameters.get("charset", "utf-8").lower() in READABLE
