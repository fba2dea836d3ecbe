"""Many of something in pieces: a statement has only so many variables. Pure."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

VARIABLES = 500
"""Those that one statement may well have: SQLite limits them, and a plan of more grows slow."""


def chunked(values: Iterable[T], size: int = VARIABLES) -> Iterator[list[T]]:
    """The values in their order, in lists of `size`, the last of which may be shorter."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
