"""Who comes, goes or steps out while others are being told: each is told once, or not any more."""

import asyncio

import pytest

from realtime import audience
from realtime.subscriber import Subscription
from tests.unit.in_line.site import Reader, Site, at, in_line, one_at_a_time, told
from tests.unit.test_wire import turns


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
