"""The `pusher` library for Python, as it is, for the views of this process."""

from typing import Any

import pusher
from django.test import Client
from pusher.http import process_response


def library(app: Any, **options: Any) -> pusher.Pusher:
    """The library for an application."""
    return pusher.Pusher(app.id, app.key, app.secret, backend=Views, **options)


class Views:
    """A backend of the library that calls this process's views."""

    def __init__(self, client: pusher.Pusher, **options: Any) -> None:
        self._client = Client()

    def send_request(self, request: Any) -> Any:
        """The answer's JSON; raises as the library does."""
        answer = self._client.generic(
            request.method,
            request.signed_path,
            request.body,
            content_type=request.headers.get("Content-Type", ""),
        )
        return process_response(answer.status_code, answer.content.decode())
