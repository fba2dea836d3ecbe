"""The plots of docs/performance.md, drawn from what runs have left.

    .bench/bin/python -m benchmarks.plots

A process of its own, in the virtual environment of the peers: nothing else needs matplotlib.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from benchmarks.data import Column, Figure, Plot, Row
from benchmarks.saved import IMAGES, image, saved

OURS, OTHERS = "#2563eb", "#94a3b8"
WIDTH = 8.0


def draw(figure: Figure, plot: Plot, path: Path) -> None:
    """Writes one plot."""
    height = 0.45 * len(figure.rows) + 1 if plot.kind == "bars" else 4.0
    canvas, axes = plt.subplots(figsize=(WIDTH, height), layout="constrained")
    (_bars if plot.kind == "bars" else _lines)(axes, figure, plot)
    axes.spines[["top", "right"]].set_visible(False)
    # Without a date, a plot of the same figures is the same file.
    canvas.savefig(path, metadata={"Date": None})
    plt.close(canvas)


def _bars(axes: Axes, figure: Figure, plot: Plot) -> None:
    rows = [row for row in reversed(figure.rows) if row.spread(plot.y)]
    spreads = [row.spread(plot.y) for row in rows]
    middles = [spread.mid for spread in spreads if spread]
    errors = [
        [spread.mid - spread.low for spread in spreads if spread],
        [spread.high - spread.mid for spread in spreads if spread],
    ]
    colours = [OURS if row.label.startswith("this server") else OTHERS for row in rows]
    bars = axes.barh([row.label for row in rows], middles, xerr=errors, color=colours)
    digits = _column(figure, plot.y).digits
    axes.bar_label(bars, labels=[f"{value:,.{digits}f}" for value in middles], padding=6)
    axes.set_xlabel(_column(figure, plot.y).heading)
    axes.margins(x=0.12)
    if plot.logarithmic:
        axes.set_xscale("log")


def _lines(axes: Axes, figure: Figure, plot: Plot) -> None:
    for name in plot.series:
        rows = [row for row in figure.rows if _in_series(row, name) and row.spread(plot.y)]
        points = sorted((_middle(row, plot.x), _middle(row, plot.y)) for row in rows)
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xlabel(_column(figure, plot.x).heading)
    axes.set_ylabel(_column(figure, plot.y).heading)
    if plot.logarithmic:
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()


def _in_series(row: Row, name: str) -> bool:
    return row.label.startswith(f"{name}:")


def _middle(row: Row, key: str) -> float:
    spread = row.spread(key)
    return spread.mid if spread else 0.0


def _column(figure: Figure, key: str) -> Column:
    return next(column for column in figure.columns if column.key == key)


def main() -> None:
    """Draws all."""
    mpl.rcParams["svg.hashsalt"] = "performance"
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["font.family"] = "sans-serif"
    mpl.rcParams["font.size"] = 10
    IMAGES.mkdir(exist_ok=True)
    for figure in saved():
        for number, plot in enumerate(figure.plots):
            draw(figure, plot, IMAGES / image(figure, number))


if __name__ == "__main__":
    main()
