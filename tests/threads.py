"""Work that is done at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import connections


def at_once(*works: Callable[[], None]) -> None:
    """Does each in a thread of its own, with database connections of its own; returns when all are
    done, or raises what one of them has raised."""

    def run(work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        for done in [pool.submit(run, work) for work in works]:
            done.result()
