"""Fan-out: straight to the connections while nothing else is due, and never out of order."""

import asyncio

import pytest

from realtime import fanout
from realtime.audience import Audience
from realtime.bookkeeping.attendance import Attendee
from realtime.events import Batch, Event, EventId
from realtime.eventstream import EventStream, MemberStream
from realtime.fanout import FanOut
from realtime.hub import Hub
from realtime.longpoll import Poll
from realtime.presence.members import Snapshot
from realtime.subscriber import Subscription, for_all
from realtime.websockets.sockets import Socket, SocketWire
from realtime.wire import Flusher
from tests.unit.test_wire import Transport, stream, turns


def at(seq):
    return EventId(seq, "n" * 8)


def event(seq, **fields):
    return Event("a", "x", str(seq), id=at(seq), **fields)


class Site:
    """A hub with streams of one channel, each on a transport of its own."""

    def __init__(self, count=3, **options):
        self.flusher = Flusher()
        self.hub = Hub(at(0), spread=FanOut(self.flusher))
        self.transports = [Transport(**options) for _ in range(count)]
        self.streams = [stream(self.flusher, transport) for transport in self.transports]
        for one in self.streams:
            self.hub.subscribe(one, ["a"], Subscription(at(0)))

    def publish(self, *seqs, **fields):
        """Each in a batch of its own, as they come from other processes."""
        for seq in seqs:
            self.hub.receive(Batch((event(seq, **fields),), at(seq - 1)))

    def got(self):
        """The numbers that each transport was given, one text for each write."""
        return [
            [b"".join(line[6:] for line in data.split(b"\n") if line.startswith(b"data: "))
             for data in transport.writes]
            for transport in self.transports
        ]  # fmt: skip


def numbers(*written):
    return [b"".join(b'{"channel":"a","data":%d}' % seq for seq in seqs) for seqs in written]


@pytest.fixture
def run():
    return asyncio.run


def test_one_event_is_written_without_being_buffered(run):
    async def main():
        site = Site()
        await turns()
        site.flusher.add = None  # Whatever is due goes by this.
        site.publish(1)
        await turns()
        assert site.got() == [numbers([1])] * 3
        assert len({id(transport.writes[0]) for transport in site.transports}) == 1

    run(main())


def test_what_comes_together_goes_out_in_one_write(run):
    async def main():
        site = Site()
        await turns()
        site.publish(1, 2, 3)
        await turns()
        assert site.got() == [numbers([1, 2, 3])] * 3

    run(main())


def test_an_event_never_overtakes_what_is_due(run):
    async def main():
        site = Site()
        await turns()
        site.publish(1)
        site.streams[0].write(b"data: earlier\n\n")
        await turns()
        assert site.got() == [[b"earlier" + numbers([1])[0]], numbers([1]), numbers([1])]

    run(main())


def test_who_takes_nothing_gets_all_of_it_in_order_later(run):
    async def main():
        site = Site(limit=10)
        await turns()
        site.publish(1)
        await turns()
        site.publish(2)
        await turns()
        site.publish(3)
        await turns()
        assert site.got() == [numbers([1])] * 3
        for transport in site.transports:
            transport.empty()
        await turns()
        assert site.got() == [numbers([1], [2, 3])] * 3

    run(main())


def test_others_have_their_turn_and_a_second_event_comes_after_the_first(run, monkeypatch):
    async def main():
        site = Site(count=4)
        await turns()
        site.publish(1)
        await turns(1)
        assert [len(written) for written in site.got()] == [1, 0, 0, 0]
        site.publish(2)
        await turns(10)
        assert site.got() == [numbers([1], [2]), *[numbers([1, 2])] * 3]

    monkeypatch.setattr(fanout, "_STEP", 1)
    monkeypatch.setattr(fanout, "_TURN", -1)
    run(main())


TELLS = {
    "is_level": lambda hub, one: hub.is_level(one),
    "iteration": lambda hub, one: list(hub),
    "drop": lambda hub, one: hub.drop(one, ["a"]),
    "restart": lambda hub, one: hub.restart(at(7)),
    "subscribe": lambda hub, one: hub.subscribe(one, ["b"], Subscription(at(1))),
}


@pytest.mark.parametrize("tell", TELLS.values(), ids=TELLS)
def test_whoever_tells_subscribers_anything_finds_them_told(run, tell):
    async def main():
        site = Site()
        await turns()
        site.publish(1)
        last = site.streams[-1]
        assert last.channels["a"].position == at(0)
        subscription = last.channels["a"]
        tell(site.hub, last)
        assert last.frames
        assert subscription.position in (at(1), at(7))
        await turns()
        assert site.got() == [numbers([1])] * 3

    run(main())


CHANGES_NOTHING = {
    "all": lambda hub, one: hub.subscribers,
    "a channel's": lambda hub, one: hub.subscribed("a"),
    "who comes": lambda hub, one: hub.subscribe(EventStream(), ["a"], Subscription(at(1))),
    "who goes": lambda hub, one: hub.unsubscribe(one),
}


@pytest.mark.parametrize("happens", CHANGES_NOTHING.values(), ids=CHANGES_NOTHING)
def test_who_comes_goes_or_looks_does_not_come_between(run, happens):
    async def main():
        site = Site()
        await turns()
        site.publish(1)
        happens(site.hub, site.streams[-1])
        assert not any(one.frames for one in site.streams)
        await turns()
        assert site.got() == [numbers([1])] * 3
        site.publish(2)
        await turns()
        stayed = [numbers([1], [2]) if one in site.hub else numbers([1]) for one in site.streams]
        assert site.got() == stayed

    run(main())


def test_whose_end_was_sent_gets_nothing_more(run):
    async def main():
        site = Site()
        await turns()
        ending = Socket(limit=1000, socket_id="1.1")
        wire = SocketWire(site.flusher, ending, (transport := Transport()).lend)
        site.hub.subscribe(ending, ["a"], Subscription(at(0)))
        running = asyncio.create_task(wire.run())
        await turns()
        ending.end()
        await running
        # Until the client has answered, the connection stays open, and a subscriber.
        site.publish(1)
        await turns()
        assert transport.writes == []
        assert site.got() == [numbers([1])] * 3

    run(main())


def test_who_comes_after_an_event_gets_it_once(run):
    async def main():
        site = Site()
        await turns()
        site.publish(1)
        late, told = stream(site.flusher, transport := Transport()), Transport()
        site.hub.subscribe(late, ["a"], Subscription(at(0)))
        newest = stream(site.flusher, told)
        site.hub.subscribe(newest, ["a"], Subscription(at(1)))
        await turns()
        assert len(transport.writes) == 1
        assert told.writes == []

    run(main())


def test_what_goes_wrong_with_one_connection_is_not_the_end_of_others(run, caplog):
    async def main():
        site = Site()
        await turns()
        site.transports[0].write = None
        site.publish(1)
        await turns()
        assert site.transports[0].state == "aborted"
        assert site.got()[1:] == [numbers([1])] * 2

    run(main())
    assert "is broken off" in caplog.text


def test_a_connection_that_closes_is_written_nothing(run):
    async def main():
        site = Site()
        await turns()
        site.transports[0].close()
        site.streams[1].end()
        await turns()
        site.publish(1)
        await turns()
        data = numbers([1])
        assert site.got() == [[], [b""], data]
        assert site.transports[1].state == "closed"

    run(main())


def test_a_websocket_hears_by_its_own_frames_of_what_it_has_not_caused(run):
    async def main():
        site = Site(count=1)
        sockets = [Socket(limit=1000, socket_id=f"1.{number}") for number in (1, 2)]
        transports = [Transport() for _ in sockets]
        running = []
        for one, transport in zip(sockets, transports, strict=True):
            wire = SocketWire(site.flusher, one, transport.lend)
            running.append(asyncio.create_task(wire.run()))
            site.hub.subscribe(one, ["a"], Subscription(at(0)))
        await turns()
        site.publish(1, exclude="1.2")
        await turns()
        assert site.got() == [numbers([1])]
        assert transports[0].writes[0].startswith(b"\x81")
        assert transports[1].writes == []
        for task in running:
            task.cancel()

    run(main())


def test_who_is_further_already_is_passed_over(run):
    async def main():
        site = Site(count=1)
        ahead = stream(site.flusher, transport := Transport())
        site.hub.subscribe(ahead, ["a"], Subscription(at(1)))
        await turns()
        site.publish(1)
        await turns()
        assert (site.got(), transport.writes) == ([numbers([1])], [])

    run(main())


def test_events_are_told_one_after_the_other(run):
    async def main():
        site = Site(count=1)
        await turns()
        spread = FanOut(site.flusher)
        audience = Audience(lambda subscriber: None)
        audience.add(site.streams[0])
        spread.tell(event(1), audience)
        spread.tell(event(2), audience)
        await turns()
        assert site.got() == [numbers([1, 2])]

    run(main())


def test_a_poll_is_not_answered_by_what_is_in_no_log(run):
    async def main():
        site = Site(count=1)
        poll = Poll()
        site.hub.subscribe(poll, ["a"], Subscription(at(0)))
        await turns()
        site.hub.broadcast(Event("a", "client-typing", "0"))
        await turns()
        assert poll.frames == []
        site.publish(1)
        await turns()
        assert len(poll.frames) == 1
        assert len(site.transports[0].writes) == 2

    run(main())


NOT_FOR_ALL = {
    "excludes": event(1, exclude="1.1"),
    "in no log": Event("a", "client-typing", "0"),
    "of members": Event("presence-a", "x", "1", id=at(1)),
}


@pytest.mark.parametrize("told", NOT_FOR_ALL.values(), ids=NOT_FOR_ALL)
def test_what_somebody_may_have_no_use_for_is_not_for_all(told):
    assert not for_all(told)


def test_who_is_choosy_wants_what_is_for_all(run):
    async def main():
        socket = Socket(limit=1000, socket_id="1.1")
        socket.versions["presence-a"] = 9
        attending = MemberStream(attendee=Attendee("1", None))
        attending.expect("presence-a")
        attending.show("presence-a", Snapshot(9, {}))
        for one in (socket, attending, Poll()):
            assert one.is_choosy
            assert one.wants(event(1))

    assert for_all(event(1))
    run(main())
