"""Which request something belongs to: an id, in the answer's header and in each line of the log.

A client or proxy may name its request by ``X-Request-ID``; whoever does not, or by what could be
mistaken for something else in a log, is given one.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

HEADER = b"x-request-id"

_SANE = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.:=+/@-]{0,127}")

_current: ContextVar[str] = ContextVar("realtime_request_id", default="")

Headers = list[tuple[bytes, bytes]]


def current() -> str:
    """The id of the request that is being worked on here, empty if it is none."""
    return _current.get()


def identify(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str, Headers]:
    """A request's id, and its headers with exactly that one."""
    headers = list(headers)
    named = [value for name, value in headers if name == HEADER]
    if len(named) == 1 and _SANE.fullmatch(named[0]):
        return named[0].decode(), headers
    made = uuid.uuid4().hex
    others = [header for header in headers if header[0] != HEADER]
    return made, [*others, (HEADER, made.encode())]


@contextmanager
def request(name: str) -> Iterator[None]:
    """What happens here belongs to the request of this id."""
    token = _current.set(name)
    try:
        yield
    finally:
        _current.reset(token)


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """`function`, for a thread of a pool: there it belongs to the request that it does here. Not in
    a copy of the context, for in that Django would make its caches anew."""
    name = _current.get()

    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        with request(name):
            return function(*args, **kwargs)

    return call


def signed(headers: Headers) -> Headers:
    """An answer's headers, with the request's id."""
    name = _current.get()
    if not name:
        return headers
    return [*(header for header in headers if header[0] != HEADER), (HEADER, name.encode())]
