"""The browsable form of a stream: a page to choose channels on, which shows them live."""

import re
from contextlib import suppress
from typing import Any

from django.conf import settings as django_settings
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.exceptions import APIException
from rest_framework.renderers import BrowsableAPIRenderer

from realtime.channels import registry

LISTED = 50
"""Channels of one pattern that can be chosen from, the newest; others are named."""

HINTS = {
    400: "Choose one channel or more, and listen.",
    401: "Log in first: then there are channels to choose from.",
    403: "One is not yours to read, or does not exist, which looks the same. Choose others.",
    429: "Close another page that listens.",
}
"""What helps against an error, by its status."""

_VARIABLE = re.compile(r"<[^>]*>")


class StreamPageRenderer(BrowsableAPIRenderer):
    """Renders what a stream is asked for as a page of the browsable API."""

    template = "realtime/stream.html"
    format = "html"

    def get_default_renderer(self, view: Any) -> Any:
        """The page shows errors as JSON."""
        return next(renderer() for renderer in view.renderer_classes if renderer.format == "json")

    def show_form_for_method(self, *args: Any) -> bool:
        """There is nothing to fill in."""
        return False

    def get_context(
        self, data: Any, accepted_media_type: Any, renderer_context: Any
    ) -> dict[str, Any]:
        """As the base class, with the channels that there are, those that were chosen, and the
        position to start from; or what went wrong."""
        with suppress(APIException):
            # Of an error that came before, nobody has asked yet; bad credentials are nobody's.
            renderer_context["request"].user  # noqa: B018
        context: dict[str, Any] = super().get_context(data, accepted_media_type, renderer_context)
        status = context["response"].status_code
        # Of an error, too: of several channels one may be wrong.
        chosen = list(dict.fromkeys(filter(None, context["request"].GET.getlist("channel"))))
        # While the database is away, nobody knows.
        groups = {} if status >= 500 else _grouped(registry.choices(context["user"], LISTED))
        listed = {name for channels in groups.values() for name, _ in channels}
        return {
            **context,
            "stream": data if status < 400 else {},
            "error": data.get("detail", "") if status >= 400 and isinstance(data, dict) else "",
            "hint": HINTS.get(status, ""),
            "hints": HINTS,
            "credentials": _credentials(renderer_context["view"]),
            "groups": groups,
            "chosen": chosen,
            "others": [name for name in chosen if name not in listed],
            "limit": LISTED,
        }


def _credentials(view: Any) -> str:
    """What curl takes to be somebody, by the first way in which this project knows people; empty
    if there is none."""
    for authenticator in (kind() for kind in view.authentication_classes):
        if isinstance(authenticator, SessionAuthentication):
            return f'-b "{django_settings.SESSION_COOKIE_NAME}=$SESSION"'
        if isinstance(authenticator, BasicAuthentication):
            return '-u "$USERNAME"'
        # As TokenAuthentication calls it; and those of others, in the challenge of a 401.
        asked = authenticator.authenticate_header(view.request) or ""
        if scheme := getattr(authenticator, "keyword", None) or asked.partition(" ")[0]:
            return f'-H "Authorization: {scheme} $TOKEN"'
    return ""


def _grouped(choices: dict[str, list[tuple[str, str]]]) -> dict[str, list[tuple[str, str]]]:
    """Channels by what their names begin with; those of which there is one of a kind together."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for pattern, channels in choices.items():
        is_kind = _VARIABLE.search(pattern) and len(channels) > 1
        title = _VARIABLE.sub("…", pattern) if is_kind else ""
        groups.setdefault(title, []).extend(channels)
    return groups
