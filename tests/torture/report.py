"""Figures of torture runs: each test records one row, and this module writes the rows of all into
the table of docs/reliability.md.

`python -m tests.torture.report` writes the table. Rows that were not run keep what stood there.
"""

import json
import re
import sys
from dataclasses import asdict, astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ROOT / "test-artifacts" / "torture"
PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
HEADINGS = ("Fault", "How", "Count", "Worst", "Goal", "Command", "Measured")


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault did, at worst."""

    fault: str
    how: str
    count: str
    worst: str
    goal: str
    command: str
    measured: str

    @classmethod
    def parse(cls, line: str) -> "Row":
        """The row that a line of the table shows."""
        cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
        return cls(*(cell.strip().replace(r"\|", "|") for cell in cells))

    def __str__(self) -> str:
        return _line(astuple(self))


def record(
    fault: str,
    *,
    how: str,
    count: int | str,
    worst: str,
    goal: str,
    command: str,
    folder: Path = FIGURES,
) -> None:
    """Records the row of a fault, in place of an earlier one. Call it before asserting the goal:
    the table shows what was measured, reached or not."""
    number = f"{count:,}" if isinstance(count, int) else count
    today = datetime.now(UTC).date().isoformat()
    row = Row(fault, how, number, worst, goal, f"`{command}`", today)
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", fault.lower()).strip("-")
    text = json.dumps(asdict(row), ensure_ascii=False, indent=1)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def recorded(folder: Path = FIGURES) -> list[Row]:
    """The rows that tests have recorded."""
    files = sorted(folder.glob("*.json"))
    return [Row(**json.loads(file.read_text(encoding="utf-8"))) for file in files]


def with_figures(page: str, rows: list[Row]) -> str:
    """The page with its table renewed: these rows, and those of other faults that stood there."""
    before, _, rest = page.partition(BEGIN)
    old, _, after = rest.partition(END)
    standing = [Row.parse(line) for line in old.strip().splitlines()[2:]]
    by_fault = {row.fault: row for row in [*standing, *rows]}
    table = [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
    table += [str(by_fault[fault]) for fault in sorted(by_fault, key=str.lower)]
    return "\n".join([before + BEGIN, *table, END + after])


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    rows = recorded()
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {len(rows)} rows measured\n")
