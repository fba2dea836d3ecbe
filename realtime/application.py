"""What a project's ``asgi.py`` serves, in place of Django's own ASGI application."""

from typing import TYPE_CHECKING

from django.core.wsgi import get_wsgi_application

if TYPE_CHECKING:
    from realtime.asgi import RealtimeApplication


def get_asgi_application() -> "RealtimeApplication":
    """Sets Django up, and returns the ASGI application that holds its streams: to be imported
    from ``realtime`` where ``asgi.py`` would import it from ``django.core.asgi``."""
    django = get_wsgi_application()
    # Imported here: nothing that uses models can be imported before Django is set up.
    from realtime.asgi import RealtimeApplication  # noqa: PLC0415

    return RealtimeApplication(django)
