import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from realtime.conf import from_environ, settings


def test_defaults_hold_unless_django_says_otherwise():
    assert settings.KEEP_ALIVE == 15
    with override_settings(REALTIME_KEEP_ALIVE=1):
        assert settings.KEEP_ALIVE == 1
    assert settings.KEEP_ALIVE == 15


def test_the_environment_is_converted_and_others_variables_are_left_alone():
    environ = {"REALTIME_RING": "7", "REALTIME_TICK": "0.5", "HOME": "x"}
    assert from_environ(environ) == {"REALTIME_RING": 7, "REALTIME_TICK": 0.5}


@pytest.mark.parametrize("value", ["", "x", "-1", "0", "1.5", "nan", "inf", "1e999", "9" * 30])
def test_a_wrong_value_is_named_in_one_line(value):
    with pytest.raises(ImproperlyConfigured) as caught:
        from_environ({"REALTIME_MAX_STREAMS_PER_USER": value})
    assert "REALTIME_MAX_STREAMS_PER_USER" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0"])
def test_a_duration_is_a_number_above_zero(value):
    with pytest.raises(ImproperlyConfigured):
        from_environ({"REALTIME_KEEP_ALIVE": value})


def test_a_name_that_nobody_reads_is_a_mistake():
    with pytest.raises(ImproperlyConfigured, match="REALTIME_KEEPALIVE is not a setting"):
        from_environ({"REALTIME_KEEPALIVE": "1"})
