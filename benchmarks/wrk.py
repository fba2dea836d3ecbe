"""Requests per second, by wrk."""

import re
import subprocess
import tempfile
from pathlib import Path

from benchmarks.peers.environment import missing_program

_POST = """
wrk.method = "POST"
wrk.body = '{body}'
wrk.headers["Content-Type"] = "application/json"
"""


def missing() -> str:
    """What to say if wrk is not there; else empty."""
    return missing_program("wrk")


def rate(url: str, token: str, seconds: float, connections: int = 8, body: str = "") -> float:
    """Requests per second, of GET or of POST if there is a body of JSON. Raises `RuntimeError` if
    any answer was an error."""
    command = [
        "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{seconds:g}s",
        "--header", f"Authorization: Token {token}",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        if body:
            (script := Path(folder) / "post.lua").write_text(_POST.format(body=body))
            command += ["--script", str(script)]
        done = subprocess.run([*command, url], capture_output=True, text=True, check=True)
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if found is None or "Non-2xx" in done.stdout:
        raise RuntimeError(f"{url}: {done.stdout}")
    return float(found[1])
