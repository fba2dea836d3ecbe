"""gunicorn's settings; it finds this file by itself. They come from the environment."""

import os
import signal
import socket
import sys
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from realtime.conf import settings as realtime
from realtime.operations import pool

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


# A peer whose network is gone sends no end. The kernel gives up on it when it has acknowledged
# nothing for this many seconds; keep-alive events give it something to acknowledge.
UNACKNOWLEDGED = 25

# What the kernel takes of what it can't send yet. By default it is megabytes: for so long nobody
# would notice that a reader has stopped, and each of them would cost that much memory.
UNSENT = 64 * 1024

SOCKET_OPTIONS = (
    (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 15),
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 5),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 3),
    (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", UNACKNOWLEDGED * 1000),
    (socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", UNSENT),
)


# Where the workers' figures are, for /metrics. Not made anew when this file is read again (SIGHUP):
# old and new workers count together, and no count falls.


def on_starting(server: Any) -> None:
    """Called once, before there is any worker."""
    server.realtime_pool = pool.create()


def post_fork(server: Any, worker: Any) -> None:
    """Called in each worker before it loads the application."""
    server.realtime_pool.join()


def post_worker_init(worker: Any) -> None:
    """Called in each worker when it has loaded the application."""
    # Not before there are settings, and applications.
    from compare.sweeping import begin_with_first_request  # noqa: PLC0415

    begin_with_first_request()


def child_exit(server: Any, worker: Any) -> None:
    """Called in the master when a worker has ended, however it did."""
    server.realtime_pool.bury()


def on_exit(server: Any) -> None:
    """Called when gunicorn ends."""
    server.realtime_pool.remove()


def pre_fork(server: Any, worker: Any) -> None:
    """Called before each worker starts. What it sets on the listening sockets, accepted ones have
    too; some systems lack some of it."""
    for listener in server.LISTENERS:
        if listener.FAMILY != socket.AF_UNIX:
            for level, name, value in SOCKET_OPTIONS:
                if hasattr(socket, name):
                    listener.setsockopt(level, getattr(socket, name), value)


def worker_int(worker: Any) -> None:
    """Called when a worker ends by SIGINT, by SIGQUIT, or to reload changed code. The last comes
    without a signal, by which streams would be drained; so send one."""
    if reload and not worker.alive:
        os.kill(worker.pid, signal.SIGTERM)
