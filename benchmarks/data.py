"""What is measured, as data: figures with rows of samples, one for each round. Pure."""

import dataclasses
import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Spread:
    """The least, the middle and the greatest of some samples."""

    low: float
    mid: float
    high: float

    @classmethod
    def of(cls, samples: Iterable[float]) -> "Spread":
        """Of at least one sample."""
        found = sorted(samples)
        return cls(found[0], statistics.median(found), found[-1])


@dataclass(frozen=True, slots=True)
class Column:
    """What is measured of each row; the heading names its unit."""

    key: str
    heading: str
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one server, or at one size: by column, a sample for each round."""

    label: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def add(self, values: Mapping[str, float]) -> None:
        """Adds a round."""
        for key, value in values.items():
            self.samples.setdefault(key, []).append(value)

    def spread(self, key: str) -> Spread | None:
        """Of a column; None if it was not measured."""
        samples = self.samples.get(key)
        return Spread.of(samples) if samples else None


@dataclass(frozen=True, slots=True)
class Goal:
    """A limit on what a row has in a column, or on how many times it is what `other` has."""

    text: str
    column: str
    row: str
    other: str = ""
    other_column: str = ""
    """Of the other row, if it is not the same."""
    most: float | None = None
    least: float | None = None
    digits: int = 2

    @property
    def limit(self) -> str:
        """As it is read: ``≤ 1.25``."""
        return f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"

    def reached(self, found: Spread) -> bool:
        """By the median."""
        return (self.most is None or found.mid <= self.most) and (
            self.least is None or found.mid >= self.least
        )


@dataclass(frozen=True, slots=True)
class Plot:
    """How a figure is drawn: bars, a row each; or lines over `x`, one for each `series` of rows,
    whose labels begin with its name."""

    y: str
    kind: Literal["bars", "lines"] = "bars"
    x: str = ""
    series: tuple[str, ...] = ()
    logarithmic: bool = False


@dataclass(slots=True)
class Figure:
    """One table, with its goals and its plots."""

    name: str
    title: str
    how: str
    command: str
    columns: list[Column]
    rows: list[Row]
    goals: list[Goal] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)
    """Servers that could not be measured, and why."""
    measured: str = ""
    """When, and on what machine."""

    def row(self, label: str) -> Row | None:
        """The row of a label, if it was measured."""
        return next((row for row in self.rows if row.label == label), None)

    def judge(self, goal: Goal) -> Spread | None:
        """What there is to hold against a goal; None if it was not measured. Rounds are compared
        with one another where both rows have as many: what disturbs one disturbs the other."""
        one, other = self.row(goal.row), self.row(goal.other)
        mine = one.samples.get(goal.column) if one else None
        if not mine or not goal.other:
            return Spread.of(mine) if mine else None
        theirs = other.samples.get(goal.other_column or goal.column) if other else None
        if not theirs:
            return None
        if len(mine) == len(theirs):
            return Spread.of(a / b for a, b in zip(mine, theirs, strict=True) if b)
        ratio = statistics.median(mine) / statistics.median(theirs)
        return Spread(ratio, ratio, ratio)

    def to_json(self) -> str:
        """For `from_json`."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Figure":
        """What `to_json` has written."""
        given: dict[str, Any] = json.loads(text)
        kinds = {"columns": Column, "rows": Row, "goals": Goal, "plots": Plot}
        lists = {key: [kind(**item) for item in given[key]] for key, kind in kinds.items()}
        lists["plots"] = [
            dataclasses.replace(plot, series=tuple(plot.series)) for plot in lists["plots"]
        ]
        return cls(**{**given, **lists})
