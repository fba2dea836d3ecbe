"""What of a worker is measured now and then, rather than counted."""

import asyncio

from realtime import meters, sequencer, webhooks
from realtime.worker import Worker

_INTERVAL = 2.0
"""Seconds; a worker with ten thousand connections takes some milliseconds for it."""

_BY_TRANSPORT = dict(
    zip(
        meters.TRANSPORTS,
        (meters.CONNECTIONS.slot(name) for name in meters.TRANSPORTS),
        strict=True,
    )
)


async def keep(worker: Worker) -> None:
    """Measures, for ever."""
    while True:
        measure(worker)
        await asyncio.sleep(_INTERVAL)


def measure(worker: Worker) -> None:
    """Writes down how things are; on the event loop's thread."""
    connections = dict.fromkeys(meters.TRANSPORTS, 0)
    subscriptions = total = most = 0
    for subscriber in worker.hub:
        size = subscriber.size
        connections[subscriber.transport] += 1
        subscriptions += len(subscriber.channels)
        total += size
        most = max(most, size)
    for transport, count in connections.items():
        meters.values[_BY_TRANSPORT[transport]] = count
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
