"""How long a hub has been behind the log."""

from realtime.events import EventId
from realtime.pulse import Pulse


def at(seq):
    return EventId(seq, "n" * 8)


def test_it_is_behind_only_by_what_it_has_been_without_for_long():
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    # The log runs ahead all the time, and the hub follows.
    for second in range(20):
        now[0] = float(second)
        pulse.see(at(10 * second + 10), at(0), 10 * second)
        assert pulse.behind(10 * second) <= 1.0
        assert pulse.behind(10 * second + 10) == 0.0


def test_it_is_behind_from_the_moment_in_which_it_has_stopped():
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    for second in range(5):
        now[0] = float(second)
        pulse.see(at(10 + second), at(0), 9)
    assert pulse.behind(9) == 4.0
    assert pulse.behind(10) == 0.0


def test_a_round_that_ends_well_ends_an_error():
    pulse = Pulse()
    pulse.fail(ValueError())
    assert pulse.error is not None
    pulse.finish()
    assert pulse.error is None
