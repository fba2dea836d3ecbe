"""Who is in line, of whom nothing but the descriptor is touched."""

import pytest

from realtime import audience
from realtime.events import Batch, Event
from realtime.eventstream import EventStream
from realtime.subscriber import Subscription
from tests.unit.in_line.site import Reader, Site, at, in_line, told
from tests.unit.test_wire import turns


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
