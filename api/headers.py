"""Refuses requests whose Content-Type or Accept nobody behind could read."""

from collections.abc import Callable, Iterable
from typing import Any

from django.utils.http import parse_header_parameters

# Python also knows codecs that are no text (zlib), and some that fail on most of it (punycode).
CHARSETS = frozenset(("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "windows-1252"))

_UNREADABLE = (LookupError, TypeError, ValueError)
"""What Python's parser raises for parameters of its own making, and Django and REST framework do
not expect."""

Environ = dict[str, Any]
WSGIApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class ReadableHeaders:
    """WSGI around Django, since no middleware of Django's comes early enough: already making the
    request object, it decodes the query by the charset, and what that raises nobody catches."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not _has_known_charset(environ.get("CONTENT_TYPE") or ""):
            detail = b"The Content-Type header is malformed, or its charset is not supported."
        elif not _is_readable(environ.get("HTTP_ACCEPT") or ""):
            detail = b"The Accept header is malformed."
        else:
            return self._application(environ, start_response)
        body = b'{"detail": "%s"}' % detail
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response("400 Bad Request", headers)
        return [body]


def _has_known_charset(content_type: str) -> bool:
    try:
        _, parameters = parse_header_parameters(content_type)
    except _UNREADABLE:
        return False
    return parameters.get("charset", "utf-8").lower() in CHARSETS


def _is_readable(accept: str) -> bool:
    try:
        for media_range in accept.split(","):
            parse_header_parameters(media_range)
    except _UNREADABLE:
        return False
    return True
