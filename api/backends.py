"""How a username and a password log in."""

from typing import Any

from django.contrib.auth import backends


class ModelBackend(backends.ModelBackend):
    """Django's, for whatever name a client sends: not all of them come through a form's checks."""

    def authenticate(
        self, request: Any, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """As the base class; nobody is called by a NUL, which PostgreSQL would not look up."""
        if username is not None and "\0" in username:
            return None
        return super().authenticate(request, username=username, password=password, **kwargs)
