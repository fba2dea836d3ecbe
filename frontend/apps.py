"""The browser client and the page that shows what it can do."""

from django.apps import AppConfig


class FrontendConfig(AppConfig):
    """Templates and static files; no models."""

    name = "frontend"
