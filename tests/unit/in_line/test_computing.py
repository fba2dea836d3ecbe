"""Beside a thread that computes, which has the interpreter at each write to a descriptor."""

import os
import threading
from itertools import count

import pytest

from realtime import fanout
from tests.unit.in_line.site import SMALL, in_line, told
from tests.unit.test_wire import turns


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
