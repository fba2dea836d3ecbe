"""Subscribers in line, on real transports and sockets: an event is written to their descriptors,
and nothing is lost, doubled or overtaken by it, nor written to what a descriptor has become."""

import asyncio
import os
import socket
import threading
from contextlib import suppress
from itertools import count

import pytest
import uvloop

from realtime import audience, fanout
from realtime.events import Batch, Event, EventId
from realtime.eventstream import EventStream, StreamWire
from realtime.fanout import FanOut
from realtime.hub import Hub
from realtime.subscriber import Subscription
from realtime.wire import Flusher, Loan
from tests.unit.test_wire import turns

SMALL = 4096
"""About what a socket takes whose reader does not read."""


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request):
    async def to_the_end(main):
        try:
            await main()
        finally:
            # uvloop waits for what is open when it is closed.
            for reader in Reader.opened:
                reader.transport.abort()
                reader.socket.close()
            Reader.opened.clear()
            await turns()

    def run(main):
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(to_the_end(main))

    return run


@pytest.fixture(autouse=True)
def _even_a_few_are_in_line(monkeypatch):
    monkeypatch.setattr(audience, "FEW", 0)


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


def test_only_descriptors_of_those_in_line_are_written_to(run):
    async def main():
        site, readers = await in_line()
        for reader in readers:
            reader.transport.writes.clear()
        site.publish("2")
        await turns()
        for reader in readers:
            assert reader.transport.writes == []
            assert await reader.all() == told("1", "2")

    run(main)


def test_what_comes_together_goes_out_in_one_write(run):
    async def main():
        site, readers = await in_line()
        for reader in readers:
            reader.transport.writes.clear()
        site.publish("2", "3", "4")
        await turns()
        for reader in readers:
            assert len(reader.transport.writes) == 1
            assert await reader.all() == told("1", "2", "3", "4")

    run(main)


def test_whoever_was_sent_anything_else_is_in_line_again_after_it(run):
    async def main():
        site, readers = await in_line(2)
        for reader in readers:
            reader.stream.keep_alive(site.hub.position)
            assert not reader.is_in_line
        await turns()
        assert all(reader.is_in_line for reader in readers)
        for reader in readers:
            reader.transport.writes.clear()
        site.publish("2")
        for reader in readers:
            assert await reader.all() == told("1", "2")
            assert reader.transport.writes == []

    run(main)


def test_who_has_come_is_in_line_before_the_first_event(run):
    async def main():
        site = Site()
        readers = await site.readers(2)
        for reader in readers:
            reader.stream.write(b": opened\n\n")
        await turns()
        assert all(reader.is_in_line for reader in readers)
        site.publish("1")
        for reader in readers:
            assert await reader.all() == told("1")

    run(main)


def test_those_who_only_get_keep_alives_leave_no_places_behind(run):
    async def main():
        site, (reader, *_) = await in_line(2)
        (line,) = site.hub._audiences["a"].lines
        for _ in range(20):
            reader.stream.keep_alive(None)
            await turns()
        assert len(line._outlets) <= 2 * len(line) + 1
        reader.stream.keep_alive(None)
        await turns()
        site.publish("2")
        assert len(line._outlets) == len(line)
        assert await reader.all() == told("1", "2")

    run(main)


@pytest.mark.parametrize("count", [1, 2], ids=["the last one", "one of two"])
def test_who_has_left_is_told_and_sent_what_waits_without_an_error(run, caplog, count):
    async def main():
        site = Site()
        with pytest.MonkeyPatch.context() as context:
            context.setattr(audience, "FEW", count)
            readers = await site.readers(count)
        assert not any(reader.is_in_line for reader in readers)
        site.publish("1")
        site.hub.unsubscribe(readers[0].stream)
        await turns()
        readers[0].stream.write(b": bye\n\n")
        await turns()
        site.publish("2")
        await turns()
        expected = [told("1"), told("1", "2")][:count]
        assert [await reader.all() for reader in readers] == expected

    run(main)
    assert not caplog.records


def test_who_comes_later_is_told_once(run):
    async def main():
        site, _ = await in_line()
        late = await Reader().open(site)
        site.publish("2")
        await turns()
        assert late.is_in_line
        assert await late.all() == told("2")

    run(main)


def test_who_subscribes_again_is_told_once(run):
    async def main():
        site, (reader,) = await in_line(1)
        site.hub.subscribe(reader.stream, ["a", "b"], Subscription(at(1)))
        site.publish("2")
        assert await reader.all() == told("1", "2")

    run(main)


def test_who_steps_out_after_being_told_last_is_told_once(run):
    async def main():
        site, _ = await in_line(1)
        late = await Reader().open(site)
        site.publish("2")
        await turns()
        late.stream.write(b"data: own\n\n")
        assert await late.all() == [*told("2"), b"own"]

    run(main)


@pytest.mark.parametrize("leave", ["drop", "unsubscribe"])
def test_who_stepped_in_last_can_be_taken_off(run, leave):
    async def main():
        site, _ = await in_line(1)
        late = await Reader().open(site)
        site.publish("2")
        await turns()
        assert late.is_in_line
        if leave == "drop":
            site.hub.drop(late.stream, ["a"])
        else:
            site.hub.unsubscribe(late.stream)
        site.publish("3")
        assert await late.all() == told("2")

    run(main)


def test_who_steps_into_an_empty_line_can_be_taken_off(run):
    async def main():
        site, (first,) = await in_line(1)
        late = await Reader().open(site)
        site.publish("2")
        # Before it is its turn.
        first.stream.write(b"data: own\n\n")
        await turns()
        site.publish("3")
        await turns()
        site.hub.drop(late.stream, ["a"])
        site.hub.drop(first.stream, ["a"])
        assert await late.all() == told("2", "3")

    run(main)


@pytest.mark.parametrize("size", [1, 100, SMALL // 2, 3 * SMALL])
def test_nothing_overtakes_what_a_descriptor_has_not_taken(run, size):
    async def main():
        site, readers = await in_line()
        texts = [f'"{n}{"x" * size}"' for n in range(60)]
        for n, text in enumerate(texts):
            site.publish(text)
            # Read before the transport hears that there is room again.
            for reader in readers[: n % 4]:
                reader.take(SMALL)
            if n % 7 == 0:
                await turns()
            await asyncio.sleep(0)
        for reader in readers:
            assert await reader.all() == told("1", *texts)
        # They have caught up: so they are in line again.
        for text in ("2", "3"):
            site.publish(text)
            await turns()
        assert all(reader.is_in_line for reader in readers)

    run(main)


def test_nothing_overtakes_the_rest_of_an_event(run):
    async def main():
        site, (reader,) = await in_line(1)
        large = f'"{"x" * 20 * SMALL}"'
        site.publish(large)
        await asyncio.sleep(0)
        assert not reader.is_in_line
        reader.take()
        site.publish("3")
        assert await reader.all() == told("1", large, "3")

    run(main)


def test_nothing_overtakes_what_is_in_no_log(run):
    async def main():
        site, (reader,) = await in_line(1)
        large = f'"{"x" * 10 * SMALL}"'
        site.broadcast(large)
        await asyncio.sleep(0)
        assert reader.transport.get_write_buffer_size()
        reader.take()
        site.publish("2")
        assert await reader.all() == told("1", large, "2")

    run(main)


def test_nothing_overtakes_what_one_was_written_in_another_way(run):
    async def main():
        site, (reader,) = await in_line(1)
        reader.stream.write(b"data: %b\n\n" % (b"x" * 10 * SMALL))
        await asyncio.sleep(0)
        assert reader.transport.get_write_buffer_size()
        reader.take()
        site.publish("2")
        assert await reader.all() == [*told("1"), b"x" * 10 * SMALL, *told("2")]

    run(main)


def test_who_steps_out_before_being_told_is_told_once_and_after_what_was_written(run, monkeypatch):
    async def main():
        site, readers = await in_line(4)
        one_at_a_time(monkeypatch)
        site.publish("2")
        await asyncio.sleep(0)
        assert [reader.is_in_line for reader in readers] == [True] * 4
        for reader in readers:
            reader.stream.write(b"data: own\n\n")
        expected = [[*told("1", "2"), b"own"], *[[*told("1"), b"own", *told("2")]] * 3]
        assert [await reader.all() for reader in readers] == expected

    run(main)


def test_who_leaves_meanwhile_is_told_and_others_too(run, monkeypatch):
    async def main():
        site, readers = await in_line(4)
        one_at_a_time(monkeypatch)
        site.publish("2")
        await asyncio.sleep(0)
        site.hub.unsubscribe(readers[2].stream)
        site.publish("3")
        expected = [told("1", "2", "3")] * 4
        expected[2] = told("1", "2")
        assert [await reader.all() for reader in readers] == expected

    run(main)


def one_at_a_time(monkeypatch):
    """Each is told in a turn of its own."""
    monkeypatch.setattr(fanout, "_STEP", 1)
    monkeypatch.setattr(fanout, "_TURN", -1)


def test_places_are_kept_and_given_to_others_when_most_have_left(run):
    async def main():
        site, readers = await in_line(9)
        for reader in readers[:8]:
            site.hub.unsubscribe(reader.stream)
        site.publish("2")
        await turns()
        more = await site.readers(3)
        site.publish("3")
        await turns()
        site.publish("4")
        await turns()
        assert await readers[8].all() == told("1", "2", "3", "4")
        for reader in more:
            assert await reader.all() == told("3", "4")
        for reader in readers[:8]:
            assert await reader.all() == told("1")

    run(main)


async def written(site, readers, count=3):
    """How often the transport of each is written to, and not its descriptor, for event 2, which is
    told within so many turns."""
    for reader in readers:
        reader.transport.writes.clear()
    site.publish("2")
    await turns(count)
    return [len(reader.transport.writes) for reader in readers]


@pytest.fixture
def computing(monkeypatch):
    """As if a thread had the interpreter at each write."""
    monkeypatch.setattr(fanout, "_SLICE", -1)
    monkeypatch.setattr(fanout, "_waits", count().__next__)


@pytest.mark.usefixtures("computing")
def test_while_a_thread_computes_nobody_waits_for_it_at_each_write(run):
    async def main():
        site, readers = await in_line(4)
        assert await written(site, readers) == [0, 1, 1, 1]
        site.publish("3")
        for reader in readers:
            assert await reader.all() == told("1", "2", "3")

    run(main)


@pytest.mark.usefixtures("computing")
def test_while_a_thread_computes_who_is_not_ready_is_told_later(run):
    async def main():
        site, readers = await in_line(3)
        large = f'"{"x" * 20 * SMALL}"'
        site.publish(large)
        await turns()
        site.publish("3")
        for reader in readers:
            assert await reader.all() == told("1", large, "3")

    run(main)


@pytest.mark.usefixtures("computing")
def test_whether_a_thread_still_computes_is_tried_less_and_less_often(run, monkeypatch):
    async def main():
        site, readers = await in_line(8)
        assert await written(site, readers, 10) == [0, 1, 0, 1, 1, 1, 1, 0]
        for reader in readers:
            assert await reader.all() == told("1", "2")

    monkeypatch.setattr(fanout, "_STEP", 1)
    monkeypatch.setattr(fanout, "_AT_FIRST", 1)
    run(main)


def test_while_other_processes_run_all_is_as_ever(run, monkeypatch):
    async def main():
        site, readers = await in_line(4)
        assert await written(site, readers) == [0, 0, 0, 0]
        for reader in readers:
            assert await reader.all() == told("1", "2")

    monkeypatch.setattr(fanout, "_SLICE", -1)
    run(main)


def test_to_wait_for_a_thread_that_computes_is_noticed():
    def compute():
        while not over.is_set():
            sum(range(1000))

    over = threading.Event()
    thread = threading.Thread(target=compute)
    thread.start()
    before = fanout._waits()
    try:
        with open(os.devnull, "wb", buffering=0) as nothing:
            while fanout._waits() == before:
                nothing.write(b"x")
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("lost", ["reader closes", "we close", "reset"])
def test_what_has_become_of_a_descriptor_is_written_nothing(run, tmp_path, lost):
    async def main():
        site = Site()
        # Who has left is not taken off the hub yet.
        reader = await Reader().open(site, left=lambda: None)
        site.publish("1")
        await turns()
        assert reader.is_in_line
        if lost == "we close":
            reader.transport.close()
        elif lost == "reset":
            reader.wire.abort()
        else:
            reader.socket.close()
        for _ in range(20):
            await asyncio.sleep(0.001)
        with (tmp_path / "file").open("wb") as file:
            assert file.fileno() <= reader.descriptor
            os.dup2(file.fileno(), reader.descriptor)
            site.publish("2")
            await turns()
            os.close(reader.descriptor) if file.fileno() != reader.descriptor else None
        assert (tmp_path / "file").read_bytes() == b""

    run(main)


def test_a_connection_that_is_broken_off_is_written_nothing_more(run, caplog):
    async def main():
        site, readers = await in_line(2)
        broken = readers[0]
        broken.transport.write = None
        site.broadcast('"x"')
        await asyncio.sleep(0)
        assert not broken.is_in_line
        site.publish("2")
        assert await broken.all() == told("1")
        assert await readers[1].all() == told("1", '"x"', "2")

    run(main)
    assert "is broken off" in caplog.text


def test_who_has_many_channels_or_few_companions_is_in_no_line(run, monkeypatch):
    async def main():
        site, (few, many) = Site(), (Reader(), Reader())
        await few.open(site)
        await many.open(site)
        site.hub.subscribe(many.stream, [f"b{n}" for n in range(16)], Subscription(at(0)))
        site.publish("1")
        await turns()
        assert (few.is_in_line, many.is_in_line) == (True, False)
        monkeypatch.setattr(audience, "FEW", 2)
        site = Site()
        readers = await site.readers(2)
        site.publish("1")
        await turns()
        assert not any(reader.is_in_line for reader in readers)

    run(main)


@pytest.mark.parametrize(
    "happens",
    [
        lambda site, reader: site.broadcast('"x"'),
        lambda site, reader: reader.stream.write(b'data: {"channel":"a","data":"x"}\n\n'),
    ],
    ids=["an event in no log", "what all had to wait for"],
)
def test_who_is_ahead_is_put_in_line_by_nothing_but_an_event(run, happens):
    async def main():
        site = Site()
        reader = await Reader().open(site, position=at(1))
        await turns()
        happens(site, reader)
        await turns()
        assert not reader.is_in_line
        site.publish("1")
        await turns()
        site.publish("2")
        assert await reader.all() == told('"x"', "2")

    run(main)


def test_who_is_in_line_is_asked_whether_it_wants_what_is_not_for_all(run):
    class Choosy(EventStream):
        def wants(self, event):
            return event.exclude != "1.1"

    async def main():
        site, choosy = Site(), Reader()
        choosy.stream = Choosy()
        readers = [await choosy.open(site), *await site.readers(1)]
        site.publish("1")
        await turns()
        site.hub.receive(Batch((Event("a", "x", "2", id=at(2), exclude="1.1"),), at(1)))
        await turns()
        assert all(reader.is_in_line for reader in readers)
        site.publish("3")
        assert await choosy.all() == told("1", "3")
        assert await readers[1].all() == told("1", "2", "3")

    run(main)


def test_those_of_different_kinds_are_in_different_lines(run):
    class Other(EventStream):
        def encode(self, event):
            return b"data: other %b\n\n" % event.data.encode()

    async def main():
        site, other = Site(), Reader()
        other.stream = Other()
        readers = [await other.open(site), *await site.readers(2)]
        for text in ("1", "2"):
            site.publish(text)
            await turns()
        assert all(reader.is_in_line for reader in readers)
        assert await other.all() == [b"other 1", b"other 2"]
        assert await readers[1].all() == told("1", "2")

    run(main)
