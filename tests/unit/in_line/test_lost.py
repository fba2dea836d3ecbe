"""Nothing is written to what the descriptor of a lost connection has become."""

import asyncio
import os

import pytest

from tests.unit.in_line.site import Reader, Site, in_line, told
from tests.unit.test_wire import turns


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
        await turns(100)
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
