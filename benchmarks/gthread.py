"""gunicorn's settings for the peer in ``figures/rest.py``: its WSGI worker with threads."""

import os

bind = f"127.0.0.1:{os.environ['PORT']}"
worker_class = "gthread"
threads = int(os.environ["REALTIME_THREADS"])
control_socket_disable = True
