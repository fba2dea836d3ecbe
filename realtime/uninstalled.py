"""What is said where this application is imported, but is none of the project's."""

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError


class NotInstalled(ImproperlyConfigured, CommandError):
    """``realtime`` is not in INSTALLED_APPS. By commands, it is told in one line."""


def ensure_installed() -> None:
    """Raises `NotInstalled`, or Django's `AppRegistryNotReady` while it loads applications."""
    if not apps.is_installed("realtime"):
        raise NotInstalled(
            "realtime is not in INSTALLED_APPS, but this project imports it."
            ' Add "realtime", before "rest_framework".'
        )
