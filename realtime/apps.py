"""Finds the project's publishers and connects them."""

from django.apps import AppConfig
from django.core import checks
from django.utils.module_loading import autodiscover_modules


class RealtimeConfig(AppConfig):
    """Reads each application's ``realtime.py``, as the admin reads ``admin.py``."""

    name = "realtime"
    verbose_name = "Real-time"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Runs once all models are loaded."""
        # Imported here: models are not there any earlier.
        from realtime.checks import check_coverage, check_database  # noqa: PLC0415
        from realtime.publishing.signals import connect  # noqa: PLC0415
        from realtime.setup_checks import check_settings  # noqa: PLC0415

        autodiscover_modules("realtime")
        connect()
        checks.register(check_coverage, checks.Tags.models)
        checks.register(check_database)
        checks.register(check_settings)
