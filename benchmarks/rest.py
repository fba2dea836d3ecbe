"""REST requests per second: this server, with streams held, beside ``gunicorn -k gthread``.

    python -m benchmarks.rest [--streams 1000] [--rounds 5] [--seconds 4]

Needs ``wrk`` (Debian's package). Both servers run the same code on databases of their own, in one
process with as many request threads, and are measured in turn, so that the ratio holds when the
machine's speed drifts. Prints the median of each and the ratio.
"""

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.servers import ROOT, Server

THREADS = "8"
CONNECTIONS = "8"


class ThreadedServer(Server):
    """The same application under gunicorn's WSGI worker with threads; it holds no streams."""

    def command(self) -> list[str]:
        gunicorn = str(Path(sys.executable).with_name("gunicorn"))
        return [gunicorn, "--config", "python:benchmarks.gthread", "api.wsgi:application"]


def prepare(kind: type[Server]) -> Server:
    """A running server with demo data."""
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    server = kind(folder, REALTIME_MAX_STREAMS_PER_USER="20000", REALTIME_THREADS=THREADS)
    server.manage("migrate", "--verbosity", "0")
    server.manage("demo")
    server.start()
    return server


def hold_streams(server: Server, count: int) -> list[socket.socket]:
    """Opens streams, and leaves them open."""
    request = (
        "GET /api/events/?channel=private-user.1 HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Token {server.token()}\r\n\r\n"
    ).encode()
    held = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(request)
        connection.recv(65536)
        held.append(connection)
    return held


def rate(server: Server, path: str, seconds: int) -> float:
    """Requests per second, by wrk; fails if any answer was an error."""
    command = [
        "wrk", "-t1", "-c", CONNECTIONS, "-d", str(seconds),
        "-H", f"Authorization: Token {server.token()}", f"{server.url}{path}",
    ]  # fmt: skip
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed:
        sys.exit(f"There were errors:\n{printed}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", printed)[1])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    options = parser.parse_args()
    if not shutil.which("wrk"):
        sys.exit("wrk is needed: apt-get install wrk")
    os.chdir(ROOT)
    ours, threaded = prepare(Server), prepare(ThreadedServer)
    try:
        held = hold_streams(ours, options.streams)
        for path in ("/api/todo-items/?todo_list=1", "/api/todo-items/1/"):
            rates = [
                (rate(ours, path, options.seconds), rate(threaded, path, options.seconds))
                for _ in range(options.rounds)
            ]
            mine, theirs = (statistics.median(column) for column in zip(*rates, strict=True))
            ratio = statistics.median(a / b for a, b in rates)
            print(
                f"GET {path}: {mine:.0f}/s with {len(held)} streams held,"
                f" gthread {theirs:.0f}/s, ratio {ratio:.2f}"
            )
    finally:
        ours.stop()
        threaded.stop()


if __name__ == "__main__":
    main()
