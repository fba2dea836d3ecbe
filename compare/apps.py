"""What real time costs: polling, long polling, streams and WebSockets, measured side by side."""

from django.apps import AppConfig


class CompareConfig(AppConfig):
    """A page that measures in its reader's own browser."""

    name = "compare"
    default_auto_field = "django.db.models.BigAutoField"
