"""gunicorn's settings; it finds this file by itself. They come from the environment."""

import os
import signal
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from realtime.conf import settings as realtime

try:
    port, workers = settings.PORT, settings.WEB_CONCURRENCY
    debug = settings.DEBUG
    if not settings.ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS must be set when DEBUG is off, to hosts like example.org."
        )
except ImproperlyConfigured as error:
    # One line, where gunicorn would show a traceback for each worker.
    sys.exit(f"Wrong settings: {error}")

# In production a router or proxy comes in from outside; in development nobody should.
bind = f"127.0.0.1:{port}" if debug else f"0.0.0.0:{port}"

# gunicorn's own ASGI worker, which is as quick as uvicorn's with our bridge, made to lend its
# connections (docs/architecture.md).
worker_class = "realtime.gunicorn.Worker"

# A worker that is told to end drains its streams at once; this bounds what other requests may take.
graceful_timeout = 4
# A worker whose event loop gives no sign of life for so long is replaced. Sooner than writers lose
# patience with SQLite's lock (20 s), which a worker that stands still may be holding.
timeout = 15
# The sign of life is a change of a file. On a disk that is busy, that could take longer.
if os.access(memory := "/dev/shm", os.W_OK):  # noqa: S108 - the file's name is random
    worker_tmp_dir = memory
keepalive = 5
backlog = 4096

reload = debug
# A stream of 100 channels with the longest names has a URL of 49 KB when it is percent-encoded; the
# default of 4 KB would refuse it, and no value between that and "unlimited" (1 MB) fits.
limit_request_line = 0

# Without it, a client could have the server hold megabytes; the protocol needs far less.
websocket_max_message_size = realtime.MAX_MESSAGE

if settings.LOG_FORMAT == "json":
    # gunicorn's own lines too.
    logconfig_dict = {
        **settings.LOGGING,
        "loggers": {
            **settings.LOGGING["loggers"],
            "gunicorn.error": {"level": "INFO", "handlers": ["stdout"], "propagate": False},
            "gunicorn.access": {"level": "WARNING", "handlers": ["stdout"], "propagate": False},
        },
    }

accesslog = None
# For those who turn it on: an address without its query, in which there may be tickets, and tokens
# that somebody has put there in vain.
access_log_format = '%(h)s %(l)s %(u)s %(t)s "%(m)s %(U)s %(H)s" %(s)s %(b)s "%(a)s"'
control_socket_disable = True


def post_worker_init(worker: Any) -> None:
    """Called in each worker when it has loaded the application."""
    # Not before there are settings, and applications.
    from compare.sweeping import begin_with_first_request  # noqa: PLC0415

    begin_with_first_request()


def worker_int(worker: Any) -> None:
    """Called when a worker ends by SIGINT, by SIGQUIT, or to reload changed code. The last comes
    without a signal, by which streams would be drained; so send one."""
    if reload and not worker.alive:
        os.kill(worker.pid, signal.SIGTERM)
