"""Text that somebody else has written, for lines that people and programs read. Pure."""

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def one_line(text: str) -> str:
    """`text` with what would end a line, or command a terminal, escaped as Python does."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)
