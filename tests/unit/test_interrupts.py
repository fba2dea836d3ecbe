"""Ctrl-C ends what runs until it comes, wherever the program is at that moment."""

import signal

import pytest

from realtime.operations.interrupts import until_ctrl_c


class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_where_python_passes_over_it():
    before = signal.getsignal(signal.SIGINT)
    going_on = False
    with pytest.raises(KeyboardInterrupt), until_ctrl_c() as pause:
        Finalized()
        going_on = True
        pause(0)
    assert going_on
    assert signal.getsignal(signal.SIGINT) is before


def test_elsewhere():
    with pytest.raises(KeyboardInterrupt), until_ctrl_c():
        signal.raise_signal(signal.SIGINT)
