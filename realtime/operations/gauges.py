"""What of a worker is measured now and then, rather than counted. (How many connections there are
follows from what is counted: those that were opened, and have not ended.)"""

import asyncio

from realtime import meters, sequencer, webhooks
from realtime.worker import Worker

_INTERVAL = 2.0
"""Seconds; a worker with ten thousand connections takes some milliseconds for it."""


async def keep(worker: Worker) -> None:
    """Measures, for ever."""
    while True:
        measure(worker)
        await asyncio.sleep(_INTERVAL)


def measure(worker: Worker) -> None:
    """Writes down how things are; on the event loop's thread."""
    subscriptions = total = most = 0
    for subscriber in worker.hub.subscribers:
        size = subscriber.size
        subscriptions += len(subscriber.channels)
        total += size
        most = max(most, size)
    pulse = worker.pulse
    for family, value in (
        (meters.SUBSCRIPTIONS, subscriptions),
        (meters.BUFFERED, total),
        (meters.BUFFERED_MOST, most),
        (meters.LOG_HEAD, pulse.head.seq if pulse.head else 0),
        (meters.LOG_FLOOR, pulse.floor.seq if pulse.floor else 0),
        (meters.HUB_POSITION, worker.hub.position.seq),
        (meters.BROKER_CONNECTED, not sequencer.broker().trouble()),
        (meters.WEBHOOKS_WAITING, webhooks.waiting()),
        (meters.WORKERS, 1),
    ):
        meters.values[family.first] = value
