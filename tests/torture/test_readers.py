"""Readers that stop reading, among others: what they cost, when they are cut, whom they harm."""

import asyncio
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.torture.clients import (
    LINE,
    Client,
    all_opened,
    crowd,
    drop_all,
    narrow_socket,
    percentile,
)
from tests.torture.report import record

CLIENTS = 300
SLOW = CLIENTS // 10
SECONDS = 60
RATE = 10
SIZE = 4000
"""Bytes of an event: every stream gets about 40 KB/s."""
MEMORY, PATIENCE, HARM = 256 * 1024, 30.0, 1.2


WRITER = f"""
import time, realtime
moment = time.monotonic()
for _ in range({SECONDS * RATE}):
    time.sleep(max(0, moment - time.monotonic()))
    realtime.trigger("{LINE}", "note", [time.monotonic(), "x" * {SIZE}])
    moment += 1 / {RATE}
"""


class Side:
    """A server with its healthy readers, and perhaps with slow ones."""

    def __init__(self, server, slow):
        self.server = server
        tokens = crowd(server, CLIENTS)
        self.slow = [Stalled(server.port, token) for token in tokens[:slow]]
        self.healthy = [Client(server.port, [LINE], token) for token in tokens[SLOW:]]
        self.delays = []
        self.kernel = self.process = 0
        for client in self.healthy:
            client.on_event = self._note
        self.writer = threading.Thread(target=server.shell, args=(WRITER,))

    def _note(self, client):
        now, _, _, data = client.events.pop()
        self.delays.append(now - float(data[data.index(b"[") + 1 : data.rindex(b",")]))

    async def open(self):
        await asyncio.gather(*(client.open() for client in self.healthy))
        await all_opened(self.healthy, 30)

    def memory(self):
        """Bytes of the worker."""
        [worker] = self.server.workers
        pages = Path(f"/proc/{worker}/statm").read_text().split()
        return (int(pages[1]) - int(pages[2])) * 4096


class Stalled:
    """Opens a stream, and never reads on. What the kernel holds for it is counted."""

    def __init__(self, port, token):
        self.socket = narrow_socket(port)
        request = (
            f"GET /api/events/?channel={LINE} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Token {token}\r\n\r\n"
        )
        self.socket.sendall(request.encode())
        assert self.socket.recv(12) == b"HTTP/1.1 200"
        self.port = f"{self.socket.getsockname()[1]:04X}"
        self.since = time.monotonic()
        self.gone = 0.0


def waiting_for(server):
    """What the kernel holds for each connection that the server has: bytes by the peer's port."""
    found, here = {}, f":{server.port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        if local.endswith(here) and state == "01":
            found[remote[-4:]] = int(queues.partition(":")[0], 16)
    return found


async def observe(beside, without):
    """Runs both sides at the same time, and looks at them twice a second; the healthy readers that
    have lost their streams."""
    sides = (beside, without)
    for side in sides:
        await side.open()
    before = [side.memory() for side in sides]
    start = time.monotonic()
    for slow in beside.slow:
        slow.since = start
    for side in sides:
        side.writer.start()
    while beside.writer.is_alive() or without.writer.is_alive():
        await asyncio.sleep(0.5)
        now = time.monotonic()
        grown = [side.memory() - start for side, start in zip(sides, before, strict=True)]
        beside.process = max(beside.process, grown[0] - grown[1])
        held = await asyncio.to_thread(waiting_for, beside.server)
        beside.kernel = max(beside.kernel, *(held.get(slow.port, 0) for slow in beside.slow))
        for slow in beside.slow:
            if not slow.gone and slow.port not in held:
                slow.gone = now - slow.since
    lost = [client for client in beside.healthy if client.lost_at]
    for side in sides:
        await drop_all(side.healthy)
    return lost


def test_slow_readers_cost_little_are_cut_and_harm_nobody(make_server, redis_server):
    # Secrets of their own keep their messages apart.
    beside, without = (
        Side(make_server(REDIS_URL=redis_server.url, SECRET_KEY=key * 50), slow)
        for key, slow in (("a", SLOW), ("b", 0))
    )
    lost = asyncio.run(observe(beside, without))
    remaining = [slow for slow in beside.slow if not slow.gone]
    for slow in beside.slow:
        with suppress(OSError):
            slow.socket.close()
    each = beside.kernel + max(0, beside.process) // SLOW
    longest = max((slow.gone for slow in beside.slow), default=0)
    p99, usual = percentile(beside.delays, 0.99), percentile(without.delays, 0.99)
    record(
        "Slow readers",
        how=f"{SLOW} of {CLIENTS} streams stop reading, with the smallest receive buffer; {RATE}"
        f" events/s of {SIZE:,} bytes for {SECONDS} s; beside a server without them",
        count=len(beside.delays) + len(without.delays),
        worst=f"{each // 1024} KB each ({beside.kernel // 1024} KB in the kernel); all cut after"
        f" {longest:.1f} s, {len(remaining)} not; p99 of the others {p99 * 1000:.1f} ms, against"
        f" {usual * 1000:.1f} ms",
        goal="≤ 256 KB each; cut ≤ 30 s; p99 of the others ≤ 1.2 times",
        command='make torture ARGS="-k readers"',
    )
    assert not remaining
    assert longest <= PATIENCE
    assert each <= MEMORY
    assert p99 <= HARM * usual
    assert not lost
