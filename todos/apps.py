"""The example application: shared todo lists."""

from django.apps import AppConfig


class TodosConfig(AppConfig):
    """Lists of items, shared by their owners with other users."""

    name = "todos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connects what must follow a user who is renamed."""
        from todos import signals  # noqa: PLC0415 - models are not loaded before

        signals.connect()
