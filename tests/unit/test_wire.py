"""Direct delivery, on a transport that takes as much as the test says."""

import asyncio

import pytest

from realtime.events import EventId
from realtime.eventstream import EventStream, StreamWire
from realtime.gunicorn import Shared
from realtime.websockets.sockets import Socket, SocketWire
from realtime.wire import EXTENSION, Flusher, Loan, lender

HERE = EventId(1, "abcdefgh")


class Transport:
    """Keeps what is written; once it is full, it says so, until it is emptied."""

    def __init__(self, limit=1_000_000):
        self.limit = limit
        self.writes = []
        self.waiting = 0
        self.state = "open"
        self.wire = None

    def lend(self, wire):
        self.wire = wire
        return Loan(self, lambda: None)

    def write(self, data):
        assert self.state == "open"
        self.writes.append(data)
        self.waiting += len(data)
        if self.waiting > self.limit:
            self.wire.pause_writing()

    def empty(self):
        self.waiting = 0
        self.wire.resume_writing()

    def is_closing(self):
        return self.state != "open"

    def close(self):
        self.state = "closed"

    def abort(self):
        self.state = "aborted"


def run(main):
    return asyncio.run(main())


def stream(flusher, transport, left=lambda: None, **options):
    subscriber = EventStream(**options)
    StreamWire(flusher, subscriber, left).open(transport.lend)
    return subscriber


async def turns(count=3):
    for _ in range(count):
        await asyncio.sleep(0)


async def stalled(**options):
    """A transport that is full, and the subscriber who has filled it."""
    transport = Transport(limit=10)
    subscriber = stream(Flusher(), transport, **options)
    subscriber.write(b"x" * 20)
    await turns()
    return transport, subscriber


def test_what_is_due_together_goes_out_in_one_write_as_one_chunk():
    async def main():
        transport = Transport()
        subscriber = stream(Flusher(), transport)
        subscriber.write(b"abc")
        subscriber.write(b"0123456789")
        await turns()
        assert transport.writes == [b"d\r\nabc0123456789\r\n"]

    run(main)


def test_what_is_due_to_many_is_encoded_once():
    async def main():
        flusher, transports = Flusher(), [Transport() for _ in range(200)]
        subscribers = [stream(flusher, transport) for transport in transports]
        for subscriber in subscribers:
            subscriber.write(b"one")
            subscriber.write(b"two")
        await turns(10)
        assert {id(transport.writes[0]) for transport in transports} == {
            id(transports[0].writes[0])
        }
        assert all(len(transport.writes) == 1 for transport in transports)

    run(main)


def test_others_have_their_turn_before_all_is_written():
    async def main():
        flusher = Flusher()
        clock = iter(range(1_000_000))
        flusher._loop = type("Loop", (), {
            "time": lambda self: next(clock),
            "call_soon": asyncio.get_running_loop().call_soon,
        })()  # fmt: skip
        transports = [Transport() for _ in range(200)]
        for transport in transports:
            stream(flusher, transport).write(b"x")
        await turns(1)
        assert 0 < sum(len(transport.writes) for transport in transports) < 200
        await turns(10)
        assert sum(len(transport.writes) for transport in transports) == 200

    run(main)


def test_while_the_transport_is_full_all_waits_in_the_subscriber():
    async def main():
        transport, subscriber = await stalled()
        assert subscriber.stalled_since is not None
        subscriber.write(b"y")
        subscriber.write(b"z")
        await turns()
        assert len(transport.writes) == 1
        transport.empty()
        await turns()
        assert transport.writes[1:] == [b"2\r\nyz\r\n"]
        assert subscriber.stalled_since is None

    run(main)


def test_who_leaves_too_much_unread_is_cut_without_another_word():
    async def main():
        transport, subscriber = await stalled(limit=100)
        subscriber.write(b"y" * 101)
        assert not subscriber.cut  # It may still be busy with what came before.
        subscriber.stalled_since -= 60
        subscriber.write(b"y")
        await turns()
        assert (transport.state, len(transport.writes)) == ("aborted", 1)

    run(main)


def test_who_has_just_begun_to_take_nothing_gets_no_more_than_some_buffers():
    async def main():
        transport, subscriber = await stalled(limit=100)
        subscriber.write(b"y" * 1600)
        assert not subscriber.cut
        subscriber.write(b"y")
        await turns()
        assert transport.state == "aborted"

    run(main)


def test_a_burst_beyond_the_limit_is_for_whoever_keeps_up():
    async def main():
        transport = Transport()
        subscriber = stream(Flusher(), transport, limit=100)
        for _ in range(50):
            subscriber.write(b"x" * 10)
        await turns()
        assert (transport.state, subscriber.cut) == ("open", False)
        assert transport.writes == [b"1f4\r\n" + b"x" * 500 + b"\r\n"]

    run(main)


def test_the_end_comes_after_all_that_waits():
    async def main():
        transport, subscriber = await stalled()
        subscriber.write(b"last")
        subscriber.end()
        await turns()
        assert transport.state == "open"
        transport.empty()
        await turns()
        assert transport.writes[1:] == [b"4\r\nlast\r\n", b"0\r\n\r\n"]
        assert transport.state == "closed"

    run(main)


def test_nothing_is_written_to_a_connection_that_is_lost():
    async def main():
        transport, left = Transport(), []
        subscriber = stream(Flusher(), transport, lambda: left.append(True))
        subscriber.write(b"x")
        transport.state = "lost"
        transport.wire.connection_lost(None)
        await turns()
        assert (transport.writes, left) == ([], [True])

    run(main)


def test_what_goes_wrong_with_one_connection_is_not_the_end_of_others(caplog):
    async def main():
        flusher, broken, sound = Flusher(), Transport(), Transport()
        broken.write = None
        one, other = stream(flusher, broken), stream(flusher, sound)
        for _ in range(2):
            one.write(b"x")
            other.write(b"x")
            await turns()
        assert broken.state == "aborted"
        assert sound.writes == [b"1\r\nx\r\n"] * 2

    run(main)
    assert "is broken off" in caplog.text


def test_a_stream_that_has_ended_is_left_though_its_reader_takes_nothing():
    async def main():
        transport, left = Transport(), []
        subscriber = stream(Flusher(), transport, lambda: left.append(True))
        subscriber.end()
        await turns()
        assert (transport.state, left) == ("closed", [True])
        transport.wire.connection_lost(None)
        assert left == [True]

    run(main)


async def blocked():
    """A WebSocket whose transport takes no more: transport, wire, socket, and what runs."""
    transport = Transport(limit=10)
    one = Socket(limit=1000, socket_id="1.1")
    wire = SocketWire(Flusher(), one, transport.lend)
    running = asyncio.create_task(wire.run())
    await turns()
    one.write("x" * 20)
    return transport, wire, one, running


def test_whoever_waited_for_a_websocket_may_have_given_up():
    async def main():
        transport, wire, one, running = await blocked()
        waiting = asyncio.create_task(wire.flushed())
        await turns()
        waiting.cancel()
        await turns()
        one.write("y")
        transport.empty()
        await turns()
        assert (transport.state, transport.writes[-1]) == ("open", b"\x81\x01y")
        running.cancel()

    run(main)


def test_a_connection_that_is_lost_before_it_is_lent_is_left_at_once():
    async def main():
        left = []
        wire = StreamWire(Flusher(), EventStream(), lambda: left.append(True))
        wire.open(lambda wire: None)
        assert left == [True]

    run(main)


def test_a_websocket_that_is_lost_before_it_is_lent_ends():
    async def main():
        wire = SocketWire(Flusher(), Socket(limit=10, socket_id="1.1"), lambda wire: None)
        with pytest.raises(ConnectionResetError):
            await wire.run()

    run(main)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, b"\x81\x00"),
        (125, b"\x81\x7d"),
        (126, b"\x81\x7e\x00\x7e"),
        (65535, b"\x81\x7e\xff\xff"),
        (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
    ],
)
def test_messages_are_framed_as_rfc_6455_says(size, head):
    async def main():
        transport = Transport()
        one = Socket(limit=1_000_000, socket_id="1.1")
        running = asyncio.create_task(SocketWire(Flusher(), one, transport.lend).run())
        one.write("x" * size)
        one.write("é")
        one.end()
        await running
        assert b"".join(transport.writes) == head + b"x" * size + b"\x81\x02\xc3\xa9"

    run(main)


def test_who_has_much_to_write_to_a_websocket_waits_until_all_is_passed_on():
    async def main():
        transport, wire, one, running = await blocked()
        flushed = asyncio.create_task(wire.flushed())
        await turns()
        one.write("y")
        await turns()
        assert not flushed.done()
        transport.empty()
        await flushed
        assert not one.frames
        running.cancel()

    run(main)


@pytest.mark.parametrize("scope", [{}, {"extensions": None}, {"extensions": {"tls": {}}}])
def test_most_servers_lend_nothing(scope):
    assert lender(scope) is None


def test_some_servers_lend_their_connections():
    assert lender({"extensions": {EXTENSION: len}}) is len


def test_nothing_is_sent_past_what_is_due():
    async def main():
        transport = Transport()
        subscriber = stream(Flusher(), transport)
        await turns()
        assert subscriber.outlet.send(b"first ")
        subscriber.write(b"x")
        assert not subscriber.outlet.send(b"second ")
        await turns()
        assert transport.writes == [b"first ", b"1\r\nx\r\n"]

    run(main)


def test_nothing_follows_the_end_that_somebody_else_has_sent():
    async def main():
        one, transport = Socket(limit=1000, socket_id="1.1"), Transport()
        wire = SocketWire(Flusher(), one, transport.lend)
        running = asyncio.create_task(wire.run())
        await turns()
        one.write("before")
        await turns()
        Shared(transport, wire).write(b"\x88\x02\x03\xe8")
        one.write("after")
        waiting = asyncio.create_task(wire.flushed())
        await turns()
        assert waiting.done()
        assert wire.send(b"after")
        assert wire.straight(lambda _: None) is None
        one.end()
        await running
        assert transport.writes == [b"\x81\x06before", b"\x88\x02\x03\xe8"]

    run(main)
