"""A network that goes away without a word: the server has to notice by itself."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import wait_until
from tests.torture.clients import LINE
from tests.torture.report import record

STREAMS = 50
"""As many as a user may have: until they are freed, no other is let in."""
GOAL = 60.0
SERVER, CLIENT = "198.18.0.1", "198.18.0.2"  # Of the network that is reserved for such tests.

READER = f"""
import json, socket, sys, time
port, token = sys.argv[1:]
held = []
for _ in range({STREAMS}):
    one = socket.create_connection(("{SERVER}", int(port)), timeout=20)
    one.sendall(f"GET /api/events/?channel={LINE} HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n"
                f"Authorization: Token {{token}}\\r\\n\\r\\n".encode())
    received = b""
    while b"stream-open" not in received:
        received += one.recv(10000)
    held.append(one)
print(json.dumps([one.getsockname()[1] for one in held]), flush=True)
time.sleep(600)
"""


@contextmanager
def network():
    """A network namespace with a cable to this one; its name."""
    name = f"rt{os.getpid()}"

    def ip(*words):
        subprocess.run(["ip", *words], check=True, capture_output=True)

    ip("netns", "add", name)
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("addr", "add", f"{SERVER}/30", "dev", name)
        ip("link", "set", name, "up")
        ip("-n", name, "addr", "add", f"{CLIENT}/30", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        yield name
    finally:
        ip("link", "delete", name)
        ip("netns", "delete", name)


@contextmanager
def reader(namespace, server):
    """A process in the namespace that holds streams; what it prints is their ports."""
    command = ["ip", "netns", "exec", namespace, sys.executable, "-c", READER]
    command += [str(server.port), server.token()]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            yield set(json.loads(process.stdout.readline()))
        finally:
            process.kill()


def held(server, ports):
    """The connections to these ports of the client that the server's kernel has."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    here = f":{server.port:04X}"
    there = {int(remote[-4:], 16) for _, local, remote, *_ in rows if local.endswith(here)}
    return there & ports


def status(server):
    """What another stream of the same user is answered."""
    with server.client() as api:
        params = {"channel": LINE}
        accept = {"Accept": "text/event-stream"}
        with api.stream("GET", "/api/events/", params=params, headers=accept) as answer:
            return answer.status_code


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("ip"), reason="needs a network namespace")
def test_streams_of_a_network_that_went_away_are_freed(make_server):
    server = make_server(REALTIME_MAX_STREAMS_PER_USER=str(STREAMS))
    with network() as namespace, reader(namespace, server) as ports:
        assert held(server, ports) == ports
        assert status(server) == 429
        command = ["ip", "-n", namespace, "link", "set", "eth0", "down"]
        subprocess.run(command, check=True)
        start = time.monotonic()
        wait_until(lambda: not held(server, ports), "the connections to be freed", 3 * GOAL)
        freed = time.monotonic() - start
        wait_until(lambda: status(server) == 200, "the streams to be freed", 3 * GOAL)
        took = time.monotonic() - start
    record(
        "Half-open",
        how=f"{STREAMS} quiet streams from a network namespace whose interface goes down; default"
        " settings",
        count=STREAMS,
        worst=f"connections freed after {freed:.1f} s, the user's streams after {took:.1f} s",
        goal=f"freed ≤ {GOAL:g} s",
        command='make torture ARGS="-k halfopen"',
    )
    assert took <= GOAL
