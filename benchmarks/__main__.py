"""Measures, prints, and writes docs/performance.md.

python -m benchmarks [--full] [--rounds N] [--streams N] [--patience SECONDS] [NAME …]

Names are those of `MEASUREMENTS`; without any, all that belong to the run are measured.
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from benchmarks.data import Figure
from benchmarks.figures import Scale, crowd, curves, fanout, latency, parts, rest, talk, writes
from benchmarks.machine import PATIENCE, Watch, wait_until_quiet
from benchmarks.peers.environment import BIN
from benchmarks.report import judgements, table, with_figures
from benchmarks.saved import PAGE, ROOT, save, saved

MEASUREMENTS: dict[str, Callable[[Scale], list[Figure]]] = {
    "fanout": fanout.measure,
    "parts": parts.measure,
    "latency": latency.measure,
    "writes": writes.measure,
    "rest": rest.measure,
    "subscribers": curves.subscribers,
    "channels": curves.channels,
    "rates": curves.rates,
    "talk": talk.measure,
    "crowd": crowd.measure,
}
ONLY_FULL = ("crowd",)
"""Those that take too long for `make bench`."""


def main() -> None:
    """Measures what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measures.")
    parser.add_argument("names", nargs="*", choices=[[], *MEASUREMENTS], metavar="NAME")
    parser.add_argument("--full", action="store_true", help="take longer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--patience", type=float, default=PATIENCE)
    options = parser.parse_args()
    os.chdir(ROOT)
    # Whoever ends this ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    scale = Scale(options.full, options.rounds, options.streams)
    names = options.names or [n for n in MEASUREMENTS if options.full or n not in ONLY_FULL]
    for name in names:
        wait_until_quiet(options.patience)
        print(f"{name} …", flush=True)
        watch = Watch()
        figures = MEASUREMENTS[name](scale)
        for figure in figures:
            figure.measured = watch.circumstances()
            save(figure)
            show(figure)
    write()


def show(figure: Figure) -> None:
    """Prints a figure."""
    print(f"\n{figure.title}\n\n{table(figure)}\n\n{judgements(figure)}")
    for name, reason in figure.missing.items():
        print(f"Not measured: {name} ({reason})")
    print(flush=True)


def write() -> None:
    """Writes the page and its plots, from all that this run and earlier ones have left."""
    PAGE.write_text(with_figures(PAGE.read_text("utf-8"), saved()), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} is written")
    python = BIN / "python"
    if not python.exists():
        sys.exit("The plots are not drawn: there is no .bench")
    subprocess.run([str(python), "-m", "benchmarks.plots"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
