"""What is counted and measured in this process, in memory that its siblings can read.

Each figure is a number in a fixed place; a process that has a file for them shares it with whoever
reads its folder (``realtime.pool``). The kernel keeps what was written when a process is
killed, so no count is ever lost. Knows nothing of Django.

What only the event loop's thread counts it counts in place, ``meters.values[slot] += 1``, which
costs some 50 ns; what several threads count, by `count`.
"""

import bisect
import fcntl
import mmap
import os
import threading
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

families: list["Family"] = []
"""All there are, in the order of their places."""


class Family:
    """Figures of one name, one for each combination of its labels' values."""

    def __init__(
        self, name: str, text: str, kind: str = COUNTER, merge: str = "sum", **labels: Sequence[str]
    ) -> None:
        """`merge` says what a gauge of several processes comes to: ``sum``, ``max`` or ``min``."""
        self.name = name
        self.text = text
        self.kind = kind
        self.merge = merge
        self.labels = tuple(labels)
        self.among = tuple(product(*labels.values()))
        self.first = families[-1].after if families else 0
        families.append(self)

    @property
    def after(self) -> int:
        """The place of the next family's first figure."""
        return self.first + len(self.among)

    def slot(self, *values: str) -> int:
        """The place of the figure whose labels have these values."""
        return self.first + self.among.index(values)

    def slots(self) -> Iterator[tuple[tuple[str, ...], int]]:
        """The labels' values, and the place, of each figure."""
        return zip(self.among, range(self.first, self.after), strict=True)


class Histogram(Family):
    """How many observations there were up to each of some bounds, and their sum."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        super().__init__(name, text, HISTOGRAM, le=[*map(str, self.bounds), "+Inf", "sum"])

    def observe(self, value: float) -> None:
        """Counts an observation; for the event loop's thread."""
        values[self.first + bisect.bisect_left(self.bounds, value)] += 1
        values[self.after - 1] += value


TRANSPORTS = ("sse", "websocket")

ENDINGS = (
    "left", "overflow", "stalled", "silent", "forbidden", "terminated", "kicked", "revoked",
    "undecided", "drained", "protocol", "unavailable", "error",
)  # fmt: skip
"""Why connections end: the first is the client's doing, the others are cuts of ours."""

REFUSALS = (
    "malformed", "unauthenticated", "forbidden", "not_acceptable", "quota", "protocol",
    "unavailable", "other",
)  # fmt: skip

RESETS = ("pruned", "unknown-id", "restored")

WORKERS = Family("realtime_workers", "Worker processes that live.", GAUGE)
CONNECTIONS = Family("realtime_connections", "Open connections.", GAUGE, transport=TRANSPORTS)
SUBSCRIPTIONS = Family(
    "realtime_subscriptions",
    "Subscriptions: each of a connection's channels is one; measured every two seconds.",
    GAUGE,
)
OPENED = Family(
    "realtime_connections_opened_total",
    "Connections that were opened.",
    transport=TRANSPORTS,
)
ENDED = Family(
    "realtime_connections_ended_total",
    "Connections that have ended; for all reasons but left, this side has cut them.",
    transport=TRANSPORTS,
    reason=ENDINGS,
)
REFUSED = Family(
    "realtime_refusals_total",
    "Streams, handshakes and subscriptions that were refused.",
    reason=REFUSALS,
)
RESUMED = Family(
    "realtime_resumes_total",
    "Streams and subscriptions that went on from a position.",
    transport=TRANSPORTS,
)
RESET = Family(
    "realtime_resets_total",
    "Streams and subscriptions that were told to refetch.",
    reason=RESETS,
)
APPENDED = Family("realtime_events_appended_total", "Events that were committed to the log.")
PUBLISHED = Family(
    "realtime_events_published_total",
    "Events that were handed to the broker; ephemeral ones are in no log.",
    persistence=("logged", "ephemeral"),
)
DELIVERED = Family(
    "realtime_events_delivered_total",
    "Events that were handed to open connections, once for each of these.",
)
LAG = Histogram(
    "realtime_delivery_lag_seconds",
    "From an event's append, in its transaction, until a worker hands it out.",
    (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
)
BUFFERED = Family(
    "realtime_buffered_bytes",
    "What waits in connections' buffers; measured every two seconds.",
    GAUGE,
)
BUFFERED_MOST = Family(
    "realtime_buffered_most_bytes", "The same, in the fullest of them.", GAUGE, merge="max"
)
LOG_HEAD = Family("realtime_log_head", "The log's newest number.", GAUGE, merge="max")
LOG_FLOOR = Family("realtime_log_floor", "The number after which it begins.", GAUGE, merge="max")
HUB_POSITION = Family(
    "realtime_hub_position", "Up to where the slowest worker has handed out.", GAUGE, merge="min"
)
BROKER_CONNECTED = Family(
    "realtime_broker_connected", "1 if all workers hear the broker.", GAUGE, merge="min"
)
BROKER_RECONNECTS = Family(
    "realtime_broker_reconnects_total", "Times that a lost broker was reached again."
)
BROKER_MESSAGES = Family(
    "realtime_broker_messages_total",
    "Messages to and from the broker; dropped ones could not be sent.",
    way=("sent", "received", "dropped"),
)
HEALED = Family(
    "realtime_holes_healed_total", "Times that the log told what the broker had not (yet)."
)
HEALED_EVENTS = Family("realtime_holes_healed_events_total", "Events that were found so.")
WEBHOOKS_WAITING = Family(
    "realtime_webhook_waiting", "Events that wait for webhooks' receivers.", GAUGE
)
WEBHOOKS = Family(
    "realtime_webhook_events_total",
    "Events for webhooks' receivers.",
    result=("delivered", "lost"),
)
WEBHOOKS_FAILED = Family("realtime_webhook_failures_total", "Attempts to deliver that failed.")

SIZE = families[-1].after

values: "memoryview[float]" = memoryview(bytearray(8 * SIZE)).cast("d")
"""The figures of this process. Call it by its module, for `share` changes it."""

_counting = threading.Lock()
_file: int | None = None


def count(slot: int, by: float = 1) -> None:
    """Adds to a figure; from any thread."""
    with _counting:
        values[slot] += by


def share(path: Path) -> None:
    """Has this process keep its figures in a file, from zero. The file is locked for as long as the
    process lives."""
    global values, _file
    _file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(_file, fcntl.LOCK_EX)
    # Not a hole in the file: on a full disk, to write into that would be the end of the process.
    os.write(_file, bytes(8 * SIZE))
    values = memoryview(mmap.mmap(_file, 8 * SIZE)).cast("d")
