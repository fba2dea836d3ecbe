"""REST requests per second, with streams held, beside the same application by WSGI threads."""

import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks import wrk
from benchmarks.data import Column, Figure, Goal, Plot, Row
from benchmarks.figures import Scale
from benchmarks.peers.ours import Ours

SECONDS = 4
STREAMS = 1000
PATHS = {"list": "/api/todo-items/?todo_list=1", "item": "/api/todo-items/1/"}
OURS, THREADED = "this server", "gunicorn -k gthread"


class Threaded(Ours):
    """The same application under gunicorn's WSGI worker with threads; it holds no streams."""

    def __init__(self) -> None:
        gunicorn = str(Path(sys.executable).with_name("gunicorn"))
        super().__init__(REALTIME_THREADS="8")
        self.server.run_by([gunicorn, "-c", "python:benchmarks.gthread", "api.wsgi:application"])


def measure(scale: Scale) -> list[Figure]:
    """Both in turn."""
    missing = {"all": reason} if (reason := wrk.missing()) else {}
    rows = [] if missing else _rounds(scale)
    return [
        Figure(
            "rest",
            "REST beside WSGI threads",
            "GET of three items and of one, 8 connections, 8 request threads, one worker;"
            f" {STREAMS:,} idle streams are held by this server, none by the other.",
            "python -m benchmarks rest",
            [
                Column("list", f"GET {PATHS['list']}, requests/s", 0),
                Column("item", f"GET {PATHS['item']}, requests/s", 0),
            ],
            rows,
            [
                Goal("list: this server / gthread", "list", OURS, THREADED, least=0.95),
                Goal("item: this server / gthread", "item", OURS, THREADED, least=0.95),
            ],
            [Plot("list")] if rows else [],
            missing,
        )
    ]


def _rounds(scale: Scale) -> list[Row]:
    with ExitStack() as stack:
        ours = stack.enter_context(Ours(REALTIME_THREADS="8"))
        threaded = stack.enter_context(Threaded())
        stack.enter_context(ours.load()).open(STREAMS)
        rows = [Row(OURS), Row(THREADED)]
        for peer in (ours, threaded):
            _rates(peer, 1)
        for _ in range(2 * scale.rounds):
            for row, peer in zip(rows, (ours, threaded), strict=True):
                row.add(_rates(peer, SECONDS))
    return rows


def _rates(peer: Ours, seconds: float) -> dict[str, float]:
    token = peer.tokens[0]
    return {
        key: wrk.rate(f"{peer.server.url}{path}", token, seconds) for key, path in PATHS.items()
    }
