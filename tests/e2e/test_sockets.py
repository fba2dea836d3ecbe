"""What gunicorn's worker asks of the kernel for each connection."""

import os
import signal
import socket
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from realtime.gunicorn import _set_up

TCP_KEEPALIVE_TIMER = "02"


def timer_of(server, client):
    """The timer that runs on the server's side of a connection, in Linux's own words."""
    here, there = f"{server.port:04X}", f"{client.getsockname()[1]:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, _, timer, *_ = line.split()
        if (local[-4:], remote[-4:]) == (here, there):
            return timer[:2]
    raise AssertionError("There is no such connection")


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_the_kernel_watches_every_connection(server):
    with closing(socket.create_connection(("127.0.0.1", server.port), timeout=10)) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        client.recv(1000)
        assert timer_of(server, client) == TCP_KEEPALIVE_TIMER


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="needs Linux")
def test_dead_and_slow_peers_are_noticed_by_the_kernel():
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listener = SimpleNamespace(FAMILY=socket.AF_INET, setsockopt=listening.setsockopt)
        _set_up([listener])
        with closing(socket.create_connection(listening.getsockname())):
            accepted, _ = listening.accept()
            with closing(accepted):
                patience = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                # 15 s until a keep-alive is sent, which nobody acknowledges.
                assert patience
                assert 15_000 + patience <= 60_000
                unsent = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)
                assert 0 < unsent <= 128 * 1024


def test_hundreds_may_connect_while_the_worker_is_busy(fresh_server):
    [worker] = fresh_server.workers
    os.kill(worker, signal.SIGSTOP)
    try:
        with ExitStack() as stack:
            for _ in range(500):
                connection = socket.create_connection(("127.0.0.1", fresh_server.port), timeout=5)
                stack.enter_context(closing(connection))
    finally:
        os.kill(worker, signal.SIGCONT)
