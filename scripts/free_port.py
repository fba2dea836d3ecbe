"""Ends with one line if $PORT can't be served on."""

import os
import socket
import sys

port = os.environ.get("PORT", "8000")
if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
    sys.exit(f"PORT={port} is no number from 1 to 65535. Choose one: make run PORT=8001")
try:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", int(port)))
except OSError as error:
    sys.exit(f"Can't serve on port {port}: {error.strerror}. Choose another: make run PORT=8001")
