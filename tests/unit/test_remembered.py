"""What is remembered of streams that have ended, for how long, and what makes it forgotten."""

import pytest

from realtime.remembered import Memory, Opened


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def memory(clock):
    return Memory(clock)


def opened(*channels, grant="grant"):
    return Opened(channels, grant, ((b"vary", b"Accept"),))


def test_what_is_remembered_again_is_the_same_unless_it_was_forgotten(memory):
    memory.remember("a", opened("x"))
    first = memory.recall("a")
    memory.remember("a", opened("x"))
    assert memory.recall("a") is first
    memory.forget_channels(["x"])
    memory.remember("a", opened("x"))
    assert memory.recall("a") is not first
    assert memory.recall("a") == first


def test_the_same_request_is_recalled_as_often_as_it_comes(memory):
    memory.remember("a", opened("x", "y"))
    assert memory.recall("a") == memory.recall("a") == opened("x", "y")
    assert memory.recall("b") is None
    assert memory.channels == {"x", "y"}
    assert memory.grants == {"grant"}


def test_it_lasts_as_long_as_a_network_may_be_away_and_no_longer(memory, clock):
    memory.remember("a", opened("x"))
    clock.now += 29
    memory.remember("b", opened("x"))
    assert memory.recall("a")
    clock.now += 2
    assert memory.recall("a") is None
    assert memory.recall("b")
    clock.now += 30
    memory.recall("c")
    assert not len(memory)
    assert not memory.channels


def test_who_comes_and_goes_again_is_remembered_from_then_on(memory, clock):
    memory.remember("a", opened("x"))
    clock.now += 29
    memory.remember("a", opened("x"))
    clock.now += 29
    assert memory.recall("a")


def test_a_right_in_doubt_is_forgotten_and_no_other(memory):
    memory.remember("a", opened("x", "y"))
    memory.remember("b", opened("y"))
    memory.forget_channels({"x", "unknown"})
    assert memory.recall("a") is None
    assert memory.recall("b")
    assert memory.channels == {"y"}


def test_a_grant_that_has_ended_is_forgotten_and_no_other(memory):
    memory.remember("a", opened("x", grant="ended"))
    memory.remember("b", opened("x", grant="holds"))
    memory.forget_grants({"ended"})
    assert memory.recall("a") is None
    assert memory.recall("b")


def test_it_does_not_grow_without_end(memory):
    for number in range(20_005):
        memory.remember(number, opened("x"))
    assert len(memory) == 20_000
    assert memory.recall(4) is None
    assert memory.recall(5)


def test_equal_headers_are_held_once(memory):
    first, second = [((b"vary", b"%d" % number),) for number in (1, 1)]
    assert memory.shared(first) is memory.shared(second)
    for number in range(1000):
        memory.shared(((b"x", b"%d" % number),))
    assert len(memory._headers) <= 100
