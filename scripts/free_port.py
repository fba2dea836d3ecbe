"""Ends with one line if $PORT can't be served on."""

import os
import socket
import sys

port = os.environ.get("PORT", "8000")
try:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(port)))
except (OSError, ValueError, OverflowError) as error:
    sys.exit(f"Can't serve on port {port}: {error}. Choose another: make run PORT=8001")
