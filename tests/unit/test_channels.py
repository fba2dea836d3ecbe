from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.channels import Registry
from realtime.exceptions import AlreadyRegistered, InvalidChannel
from realtime.names import check_name

ANYBODY = SimpleNamespace(is_authenticated=False)
SOMEBODY = SimpleNamespace(is_authenticated=True)


@pytest.mark.parametrize("name", ["a", "private-todo-list.1", "A_b-c=@,.;9", "x" * 164])
def test_names_that_pusher_allows(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 165, "a b", "a\n", "ü", "a/b", "a:b", "#x", None, 1])
def test_names_that_it_does_not(name):
    with pytest.raises(InvalidChannel):
        check_name(name)


@given(st.text())
def test_no_name_can_hold_a_line_break_or_a_separator(text):
    try:
        name = check_name(text)
    except InvalidChannel:
        return
    assert not set(name) & set("\r\n\x00 :&?\"'<>")


def test_a_rule_decides_for_its_channels_only():
    registry = Registry()
    registry.add("news", lambda user: True)
    registry.add("closed", lambda user: False)
    assert registry.readable(ANYBODY, ["news", "closed", "unknown"]) == {"news"}


def test_a_private_channel_is_never_for_those_who_are_not_logged_in():
    registry = Registry()
    registry.add("private-x", lambda user: True)
    registry.add("presence-x", lambda user: True)
    names = ["private-x", "presence-x"]
    assert registry.readable(ANYBODY, names) == set()
    assert registry.readable(SOMEBODY, names) == set(names)


def test_a_pattern_has_one_rule():
    registry = Registry()
    registry.add("news", lambda user: True)
    with pytest.raises(AlreadyRegistered):
        registry.add("news", lambda user: False)


@pytest.mark.parametrize("pattern", ["x.<pk>", "x.<float:pk>", "x.<int:pk", "x.<int:PK>"])
def test_a_pattern_that_captures_nothing_known_is_refused(pattern):
    with pytest.raises(InvalidChannel):
        Registry().add(pattern, lambda user: True)


def test_a_captured_number_cannot_overflow_a_database():
    registry = Registry()
    registry.add("x.<int:pk>", lambda user: True)
    assert registry.readable(ANYBODY, ["x.1", "x.01", "x.-1", "x." + "9" * 19]) == {"x.1"}


def test_what_has_no_rule_may_be_left_to_another():
    asked = []

    def otherwise(user, name):
        asked.append(name)
        return name != "no"

    registry = Registry()
    registry.add("closed", lambda user: False)
    registry.otherwise(otherwise)
    names = ["closed", "realtime.control", "private-x", "no", "yes"]
    assert registry.readable(ANYBODY, names) == {"yes"}
    assert sorted(asked) == ["no", "yes"]
    assert registry.readable(SOMEBODY, names) == {"yes", "private-x"}
    assert registry.ruled(SOMEBODY, names) == set()


def test_public_channels_are_neither_private_ones_nor_the_workers_own(settings):
    settings.REALTIME_PUBLIC_CHANNELS = "*"
    names = ["news", "private-a", "presence-a", "realtime.control"]
    assert Registry().readable(SOMEBODY, names) == {"news"}
    settings.REALTIME_PUBLIC_CHANNELS = "score* n.ws"
    assert Registry().readable(ANYBODY, ["scores", "news", "n.ws", "a-scores"]) == {
        "scores",
        "n.ws",
    }
