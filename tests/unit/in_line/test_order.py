"""Nothing is overtaken by what is written to a descriptor."""

import asyncio

import pytest

from tests.unit.in_line.site import SMALL, in_line, told
from tests.unit.test_wire import turns


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
