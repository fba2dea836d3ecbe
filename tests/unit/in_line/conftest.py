"""Real event loops, and lines that even a few stand in."""

import asyncio

import pytest
import uvloop

from realtime import audience
from tests.unit.in_line.site import Reader
from tests.unit.test_wire import turns


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
