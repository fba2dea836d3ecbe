"""The ASGI application: ``gunicorn api.asgi:application``."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")

django = get_wsgi_application()

# Django must be set up before anything that uses its settings is imported.
from realtime.asgi import RealtimeApplication  # noqa: E402

application = RealtimeApplication(django)
