"""How cost grows: with the streams of a channel, with channels, with events, and with workers."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.accounting import CpuClock
from benchmarks.data import Column, Figure, Plot, Row
from benchmarks.figures import Scale
from benchmarks.load import Load
from benchmarks.peers.ours import BATCH, Ours, WithWorkers
from benchmarks.peers.plain import Plain

EVENTS = 20
SECONDS = 5.0
"""For which each rate of events is kept up."""

_LISTS = """
from django.contrib.auth.models import User
from todos.models import TodoList
owner = User.objects.get(username="alice")
lists = [TodoList(name=str(n), owner=owner) for n in range({count})]
TodoList.objects.bulk_create(lists)
print(*TodoList.objects.filter(owner=owner).order_by("pk").values_list("pk", flat=True)[:{count}])
"""


class Lists(Ours):
    """A server with many channels, all of them for one user."""

    def __init__(self, count: int, **environ: str) -> None:
        super().__init__(users=1, REALTIME_MAX_STREAMS_PER_USER="20000", **environ)
        self._count = count
        self.channels: list[str] = []

    def start(self) -> None:
        super().start()
        printed = self.server.shell(_LISTS.format(count=self._count)).splitlines()[-1]
        self.channels = [f"private-todo-list.{pk}" for pk in printed.split()]
        self.tokens = [self.server.token()]

    def streams(self, *subscriptions: list[str]) -> Load:
        """A client, whose streams take these sets of channels in turn."""
        requests = [
            f"GET /api/events/?channel={'&channel='.join(channels)} HTTP/1.1\r\n"
            "Host: 127.0.0.1\r\nAccept: text/event-stream\r\n"
            f"Authorization: Token {self.tokens[0]}\r\n\r\n".encode()
            for channels in subscriptions
        ]
        return Load(self.port, requests, self.ready)

    def tell(self, channels: list[str]) -> None:
        """Sends an event to each channel, `BATCH` of them by one request."""
        for start in range(0, len(channels), BATCH):
            self.trigger(*channels[start : start + BATCH])


def _curve(
    name: str, title: str, how: str, columns: list[Column], rows: list[Row], *plots: Plot
) -> list[Figure]:
    command = f"python -m benchmarks {name}"
    return [Figure(name, title, how, command, columns, rows, plots=list(plots))]


def subscribers(scale: Scale) -> list[Figure]:
    """Streams of one channel; one worker and two, and plain C."""
    sizes = [100, 500, 1000, 2500, 5000, *([10_000, 15_000] if scale.full else [])]
    kinds = {
        "one worker": lambda: Ours(users=max(sizes) // 40),
        "two workers": lambda: WithWorkers(2, users=max(sizes) // 40),
        "plain C": Plain,
    }
    rows = []
    for series, kind in kinds.items():
        with kind() as peer, peer.load() as load:
            for size in sizes:
                load.open(size - load.count().open)
                rows.append(Row(f"{series}: {size:,}"))
                for _ in range(scale.rounds):
                    rows[-1].add({"streams": size, **_events(peer, load, size)})
    return _curve(
        "subscribers",
        "More streams of one channel",
        f"{EVENTS} events of 150 bytes, one at a time, on a server whose streams become more"
        " and more. Two workers tell each other of events by Redis, whose CPU is counted.",
        [
            Column("streams", "streams", 0),
            Column("cpu_us", "µs of CPU a delivery", 2),
            Column("milliseconds", "ms until all have it", 1),
        ],
        rows,
        Plot("cpu_us", "lines", "streams", tuple(kinds)),
        Plot("milliseconds", "lines", "streams", tuple(kinds)),
    )


def _events(peer: Ours | Plain, load: Load, size: int) -> dict[str, float]:
    load.count()
    clock, seconds = CpuClock(peer.pids), 0.0
    for number in range(EVENTS):
        begin = time.monotonic()
        peer.publish()
        seconds += load.wait((number + 1) * size).last - begin
    cpu = clock.seconds()
    return {"cpu_us": cpu * 1e6 / (EVENTS * size), "milliseconds": seconds * 1000 / EVENTS}


def channels(scale: Scale) -> list[Figure]:
    """As many streams, spread over more and more channels; and many channels on each stream."""
    streams = 10_000 if scale.full else 2000
    rows = []
    with Lists(10_000) as peer:
        for count in (1, 10, 100, 1000, 10_000):
            if count <= streams:
                rows.append(Row(f"spread: {count:,} channels"))
                with peer.streams(*([name] for name in peer.channels[:count])) as load:
                    load.open(streams)
                    names = peer.channels[:count] * max(1, 10 // count)
                    for _ in range(scale.rounds):
                        found = _told(peer, load, names, streams // count)
                        rows[-1].add({"channels": count, "streams": streams, **found})
    if scale.full:
        rows.append(_multiplexed())
    return _curve(
        "channels",
        "More channels",
        "The same streams spread over more and more channels, each of which is sent an event,"
        f" {BATCH} by one request and commit. In the last row of a full run, each of 1,000"
        " streams has the same 1,000 channels.",
        [
            Column("channels", "channels", 0),
            Column("streams", "streams", 0),
            Column("deliveries", "deliveries", 0),
            Column("cpu_us", "µs of CPU a delivery", 1),
            Column("event_us", "µs of CPU an event", 0),
            Column("seconds", "s until all have all", 2),
        ],
        rows,
        Plot("cpu_us", "lines", "channels", ("spread",), logarithmic=True),
    )


def _multiplexed() -> Row:
    count = 1000
    row = Row(f"together: {count:,} channels on each of {count:,} streams")
    limits = {"REALTIME_MAX_CHANNELS_PER_STREAM": str(count)}
    with Lists(count, **limits) as peer, peer.streams(peer.channels) as load:
        load.open(count, together=16, seconds=900)
        found = _told(peer, load, peer.channels, count)
        row.add({"channels": count, "streams": count, **found})
    return row


def _told(peer: Lists, load: Load, names: list[str], each: int) -> dict[str, float]:
    """What it costs to send an event to each of these channels, of `each` streams."""
    load.count()
    clock, begin = CpuClock(peer.pids), time.monotonic()
    peer.tell(names)
    seen = load.wait(len(names) * each, 300)
    cpu = clock.seconds()
    if seen.events != len(names) * each:
        raise RuntimeError(f"{seen.events} deliveries, not {len(names) * each}")
    return {
        "deliveries": seen.events,
        "cpu_us": cpu * 1e6 / seen.events,
        "event_us": cpu * 1e6 / len(names),
        "seconds": seen.last - begin,
    }


def rates(scale: Scale) -> list[Figure]:
    """More and more events a second, to as many streams."""
    streams = 1000
    rows = []
    with Ours() as peer, peer.load() as load:
        load.open(streams)
        for rate in (20, 100, 200, 400, 800, 1600):
            rows.append(Row(f"1,000 streams: {rate:,} events/s"))
            with _rested(load):
                rows[-1].add({"offered": rate, **_paced(peer, load, rate, streams)})
    return _curve(
        "rates",
        "More events a second",
        f"{streams:,} streams of one channel; 20 requests a second, each with a twentieth of a"
        f" second's events, for {SECONDS:g} s. Where less is delivered than was offered, the"
        " server is at its end. Delays are from an event's making to each of its arrivals.",
        [
            Column("offered", "events/s offered", 0),
            Column("delivered", "events/s delivered to each", 0),
            Column("p50", "p50, ms", 1),
            Column("p99", "p99, ms", 1),
            Column("cores", "cores in use", 2),
        ],
        rows,
        Plot("p99", "lines", "offered", ("1,000 streams",)),
    )


@contextmanager
def _rested(load: Load) -> Iterator[None]:
    load.count()
    yield
    time.sleep(1)


def _paced(peer: Ours, load: Load, rate: int, streams: int) -> dict[str, float]:
    together, requests = max(1, rate // 20), int(20 * SECONDS)
    clock, begin = CpuClock(peer.pids), time.monotonic()
    for number in range(requests):
        time.sleep(max(0.0, begin + number / 20 - time.monotonic()))
        peer.publish_many(together)
    seen = load.wait(requests * together * streams, 60)
    seconds = seen.last - begin
    return {
        "delivered": seen.events / streams / seconds,
        "p50": seen.p50_ms,
        "p99": seen.p99_ms,
        "cores": clock.seconds() / seconds,
    }
