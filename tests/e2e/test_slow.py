"""A reader that does not read harms nobody, and is cut."""

import socket
from contextlib import suppress

from tests.e2e.test_restarts import read_until
from tests.ports import DEADLINE, wait_until
from tests.streams import Stream

COUNT = 1000
# Much more than the kernel buffers for a connection: some megabytes.
WRITE = (
    "import realtime\n"
    f"for n in range({COUNT}): realtime.trigger('private-user.1', 'note', ['x' * 20000, n])"
)


def test_a_reader_that_does_not_read_is_cut_and_the_others_get_everything(make_server):
    server = make_server(
        REALTIME_KEEP_ALIVE="1", REALTIME_STALL_TIMEOUT="1", REALTIME_STREAM_BUFFER="500000"
    )
    token = server.token()
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(DEADLINE)
    slow.connect(("127.0.0.1", server.port))
    request = (
        "GET /api/events/?channel=private-user.1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Token {token}\r\n\r\n"
    )
    slow.sendall(request.encode())
    read_until(slow, b"stream-open")
    with Stream(server.url, ["private-user.1"], token=token) as quick:
        quick.opened()
        server.shell(WRITE)
        numbers = [quick.change()[1]["data"][1] for _ in range(COUNT)]
        assert numbers == list(range(COUNT))
        # Before it begins to read at last.
        streams = "SELECT count(*) FROM realtime_stream"
        wait_until(lambda: server.query(streams) == [(1,)], "the slow one to be cut")
    # What the kernel holds can still be read; then comes the end, long before all has come.
    received = 0
    with suppress(ConnectionError):
        while chunk := slow.recv(65536):
            received += len(chunk)
    assert received < COUNT * 20000 / 2
    slow.close()
