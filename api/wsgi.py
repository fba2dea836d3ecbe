"""The WSGI application, for servers that can't hold streams: clients then poll for events."""

import os

from django.core.wsgi import get_wsgi_application

from api.headers import ReadableHeaders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")

application = ReadableHeaders(get_wsgi_application())
