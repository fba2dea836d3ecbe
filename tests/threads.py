"""What is done at the same time, each with database connections of its own."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from django.db import connections, transaction

from tests.ports import DEADLINE


def at_once(*works: Callable[[], None]) -> None:
    """Does each in a thread of its own; returns when all are done, or raises what one of them has
    raised."""
    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(_do, work) for work in works]:
            done.result()


@contextmanager
def open_transaction(work: Callable[[], object]) -> Iterator[None]:
    """Somebody else has done this in a transaction, which is open for as long as the block takes;
    fails if the block waits for its end."""
    done, over = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            work()
            done.set()
            assert over.wait(DEADLINE)

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(_do, hold)
        try:
            assert done.wait(DEADLINE)
            yield
        finally:
            over.set()
        holding.result()


def _do(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        connections.close_all()
