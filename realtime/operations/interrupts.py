"""Ctrl-C, for commands that run until it comes."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def until_ctrl_c() -> Iterator[Callable[[float], None]]:
    """Yields how to pause, for some seconds, until Ctrl-C; then that raises `KeyboardInterrupt`.

    Python raises it wherever the program is. Where that is in a finalizer, or a function that a
    library in C calls, it is printed or passed over, and one would have to press the keys again.
    """
    pressed = False

    def press(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        pressed = True
        raise KeyboardInterrupt

    def pause(seconds: float) -> None:
        if not pressed:
            time.sleep(seconds)
        if pressed:
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield pause
        return
    before = signal.signal(signal.SIGINT, press)
    try:
        yield pause
    finally:
        signal.signal(signal.SIGINT, before)
