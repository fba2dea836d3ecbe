"""Text that somebody else has written, for lines that people and programs read. Pure."""

import os
import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NUMBERED = re.compile(r"\[Errno (\d+)\]|^Error (\d+) connecting to ")
_IDLE = re.compile(r" Is the server running [^?]*\?")
"""What libpq asks its reader."""


def one_line(text: str) -> str:
    """`text` with what would end a line, or command a terminal, escaped as Python does."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def reason(error: BaseException) -> str:
    """Why something went wrong, in one line for people: the words of what was the cause, without
    objects as Python shows them."""
    while inner := error.__cause__ or next(
        (one for one in error.args if isinstance(one, BaseException)), None
    ):
        error = inner
    told = [one for one in error.args if isinstance(one, str)]
    text = " ".join((told[-1] if told else str(error)).split())
    # Beside the number are addresses as Python shows them; those of TLS and names are others.
    if isinstance(error, OSError) and error.errno and type(error).__module__ == "builtins":
        text = os.strerror(error.errno)
    elif numbered := _NUMBERED.search(text):
        text = os.strerror(int(numbered[1] or numbered[2]))
    return one_line(_IDLE.sub("", text).rstrip(".")) or type(error).__name__


def counted(number: int, what: str) -> str:
    """A number of things whose plural has an s."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
