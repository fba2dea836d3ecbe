"""Where a worker does its accounts."""

import asyncio

import pytest

from realtime.bookkeeping.desk import woken


def test_whoever_waits_is_woken_and_after_a_while_wakes_by_itself(monkeypatch):
    async def main():
        wake = asyncio.Event()
        wake.set()
        await asyncio.wait_for(woken(wake, 0), 5)
        assert not wake.is_set()
        monkeypatch.setattr("realtime.bookkeeping.desk.RENEWAL", 0.01)
        await asyncio.wait_for(woken(wake, 60), 5)

    asyncio.run(main())


def test_a_job_that_is_woken_and_ended_in_the_same_moment_ends():
    async def main():
        wake = asyncio.Event()
        job = asyncio.create_task(woken(wake, 0))
        await asyncio.sleep(0)
        wake.set()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    asyncio.run(main())
