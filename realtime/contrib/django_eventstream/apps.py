"""Puts this package in the place of django-eventstream's delivery."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured


class DjangoEventStreamConfig(AppConfig):
    """Has no models. ``django_eventstream`` stays installed, for its static files and pages."""

    name = "realtime.contrib.django_eventstream"
    label = "realtime_django_eventstream"
    verbose_name = "django-eventstream on the real-time log"

    def ready(self) -> None:
        """Runs once all models are loaded."""
        try:
            from django_eventstream import views  # noqa: PLC0415 - it is an extra
        except ImportError as error:
            raise ImproperlyConfigured(
                f"{self.name} needs the extra `eventstream` to be installed."
            ) from error
        # Imported here: models are not there any earlier.
        from realtime.channels import registry  # noqa: PLC0415
        from realtime.contrib.django_eventstream.checks import check_move  # noqa: PLC0415
        from realtime.contrib.django_eventstream.dialect import FORM, DialectStream  # noqa: PLC0415
        from realtime.contrib.django_eventstream.listeners import Listeners  # noqa: PLC0415
        from realtime.eventstream import FORMS  # noqa: PLC0415

        # The one place by which its functions reach connections.
        views.listener_manager = Listeners()
        FORMS[FORM] = DialectStream
        if hasattr(settings, "EVENTSTREAM_CHANNELMANAGER_CLASS"):
            registry.otherwise(_allows)
        checks.register(check_move)


def _allows(user: Any, channel: str) -> bool:
    """Whether the project's own channel manager lets a user read a channel that has no rule."""
    from django_eventstream.utils import get_channelmanager  # noqa: PLC0415

    return bool(
        get_channelmanager().can_read_channel(user if user.is_authenticated else None, channel)
    )
