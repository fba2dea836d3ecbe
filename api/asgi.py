"""The ASGI application: ``gunicorn api.asgi:application``."""

# First, for it sets Django up: nothing that uses settings can be imported before.
from api.wsgi import application as django  # isort: skip

from realtime.asgi import RealtimeApplication

application = RealtimeApplication(django)
