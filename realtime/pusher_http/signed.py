"""Requests that are signed with the application's secret.

Pusher's "HTTP API reference", "Authentication": the signature is over method, path, query and, by
its hash, the body, each exactly as it arrived.
"""

import re
import time
from typing import Any
from urllib.parse import unquote_to_bytes

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed, NotFound
from rest_framework.request import Request

from realtime.conf import pusher_app
from realtime.signatures import App, body_md5, matches

TOLERANCE = 600
"""Seconds by which the clocks of server and sender may differ."""

_SIGNATURE = "auth_signature"


class TooLarge(APIException):
    """The request, or the data of an event in it, is too large."""

    status_code = 413
    default_detail = "The request is too large."
    default_code = "too_large"


class SignatureAuthentication(BaseAuthentication):
    """Authenticates an application's server by its signature. ``request.auth`` is the query."""

    def authenticate(self, request: Request) -> tuple[Any, dict[str, str]]:
        """Raises `NotFound` for another application, `AuthenticationFailed` or `TooLarge`."""
        app, wanted = pusher_app(), request.parser_context["kwargs"].get("app_id")
        if app is None or wanted not in (None, app.id):
            raise NotFound("There is no such application.")
        django_request = request._request
        try:
            body = django_request.body
        except RequestDataTooBig as error:
            raise TooLarge from error
        found = query(django_request)
        if problem := _problem(app, django_request, found, body, time.time()):
            raise AuthenticationFailed(problem)
        return AnonymousUser(), found

    def authenticate_header(self, request: Request) -> str:
        return "Pusher"


def query(request: HttpRequest) -> dict[str, str]:
    """The parameters, with names in lower case, as they were signed: libraries sign values that
    they have not escaped, so a plus is a plus. (If there is one twice, none is signed so.)"""
    text = request.META.get("QUERY_STRING", "").encode("latin-1")
    parts = [part.partition(b"=") for part in text.split(b"&") if part]
    return {_decode(name).lower(): _decode(value) for name, _, value in parts}


def _problem(
    app: App, request: HttpRequest, found: dict[str, str], body: bytes, now: float
) -> str | None:
    if not matches(found.get("auth_key", ""), app.key):
        return "auth_key is not the key of this application."
    if found.get("auth_version") != "1.0":
        return "auth_version is not 1.0."
    stamp = found.get("auth_timestamp", "")
    if not re.fullmatch(r"[0-9]{1,12}", stamp) or abs(now - int(stamp)) > TOLERANCE:
        return f"auth_timestamp is not within {TOLERANCE} seconds of this server's clock."
    if (body or "body_md5" in found) and not matches(found.get("body_md5", ""), body_md5(body)):
        return "body_md5 is not the MD5 hash of the body."
    pairs = [(name, value) for name, value in found.items() if name != _SIGNATURE]
    expected = app.request_signature(str(request.method), request.path, pairs)
    if not matches(found.get(_SIGNATURE, ""), expected):
        return "auth_signature is not the signature of this request."
    return None


def _decode(text: bytes) -> str:
    return unquote_to_bytes(text).decode("utf-8", "replace")
