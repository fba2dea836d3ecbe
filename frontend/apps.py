"""The todo page."""

from django.apps import AppConfig


class FrontendConfig(AppConfig):
    """Has no models."""

    name = "frontend"
