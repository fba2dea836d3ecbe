"""Where a stream starts. These tests have no database: whoever asks the log fails."""

from realtime.events import Batch, Event, EventId
from realtime.hub import Hub
from realtime.stream import opening


def test_who_comes_back_soon_is_served_without_the_log():
    start, seen = EventId(0, "a" * 8), EventId(1, "b" * 8)
    hub = Hub(start)
    hub.receive(
        Batch((Event("c", "x", "1", id=seen), Event("c", "x", "2", id=EventId(2, "b" * 8))), start)
    )
    found = opening(str(seen), ["c"], hub)
    assert (found.position, found.upto, found.events, found.reset) == (seen, seen, [], None)
