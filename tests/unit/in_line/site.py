"""A hub whose readers are in line, on real transports and sockets."""

import asyncio
import socket
from contextlib import suppress

from realtime import fanout
from realtime.events import Batch, Event, EventId
from realtime.eventstream import EventStream, StreamWire
from realtime.fanout import FanOut
from realtime.hub import Hub
from realtime.subscriber import Subscription
from realtime.wire import Flusher, Loan
from tests.unit.test_wire import turns

SMALL = 4096
"""About what a socket takes whose reader does not read."""


def at(seq):
    return EventId(seq, "n" * 8)


class Noted:
    """A transport; what is written to it, and not to its descriptor, is kept."""

    def __init__(self, transport):
        self.transport = transport
        self.writes = []

    def write(self, data):
        self.writes.append(data)
        self.transport.write(data)

    def __getattr__(self, name):
        return getattr(self.transport, name)


class Reader:
    """A stream on one end of a socket, and what comes out of the other."""

    opened = []

    def __init__(self):
        self.stream = EventStream(limit=10_000_000)
        self._got = b""

    async def open(self, site, left=None, position=None):
        ours, self.socket = socket.socketpair()
        for end in (ours, self.socket):
            end.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.wire = StreamWire(site.flusher, self.stream, left or self._leave(site))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, ours)
        self.transport = Noted(transport)
        self.descriptor = ours.fileno()
        self.opened.append(self)
        transport.set_protocol(self.wire)
        self.wire.open(lambda wire: Loan(self.transport, lambda: None, self.descriptor))
        site.hub.subscribe(self.stream, ["a"], Subscription(position or site.hub.position))
        return self

    def _leave(self, site):
        return lambda: site.hub.unsubscribe(self.stream)

    def take(self, size=10_000_000):
        """Reads what is there."""
        with suppress(BlockingIOError):
            self._got += self.socket.recv(size)

    async def all(self):
        """Reads until nothing more comes; the data of all events, in their order."""
        for _ in range(1000):
            self.take()
            await asyncio.sleep(0)
        chunks, rest = [], self._got
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            chunk, rest = rest[: int(size, 16)], rest[int(size, 16) :]
            assert rest.startswith(b"\r\n")
            chunks.append(chunk)
            rest = rest[2:]
        lines = b"".join(chunks).split(b"\n")
        return [line[6:] for line in lines if line.startswith(b"data: ")]

    @property
    def is_in_line(self):
        return self.wire._step_out is not None


class Site:
    """A hub with readers of one channel."""

    def __init__(self):
        self.flusher = Flusher()
        self.hub = Hub(at(0), spread=FanOut(self.flusher))
        self.flusher.on_idle = self.hub.step_in

    async def readers(self, count):
        found = [await Reader().open(self) for _ in range(count)]
        await turns()
        return found

    def publish(self, *texts):
        """Each in a batch of its own, as they come from other processes."""
        for text in texts:
            before = self.hub.position
            event = Event("a", "x", text, id=at(before.seq + 1))
            self.hub.receive(Batch((event,), before))

    def broadcast(self, text):
        self.hub.broadcast(Event("a", "x", text))


def told(*texts):
    return [b'{"channel":"a","data":%b}' % text.encode() for text in texts]


async def in_line(count=3):
    """A site whose readers have been told of event 1, and so are in line."""
    site = Site()
    readers = await site.readers(count)
    site.publish("1")
    await turns()
    assert all(reader.is_in_line for reader in readers)
    return site, readers


def one_at_a_time(monkeypatch):
    """Each is told in a turn of its own."""
    monkeypatch.setattr(fanout, "_STEP", 1)
    monkeypatch.setattr(fanout, "_TURN", -1)
