"""Figures of torture runs: each test records one row, and this module writes the rows of all into
the tables of docs/reliability.md.

`python -m tests.torture.report` writes the tables. Rows that were not run keep what stood there.
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
TABLES = {"figures": "Fault", "abuse": "Abuse"}
"""What their rows are called."""
HEADINGS = ("How", "Count", "Worst", "Goal", "Command", "Measured")


@dataclass(frozen=True, slots=True)
class Row:
    """What one fault, or abuse, did at worst."""

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
    table: str = "figures",
    quick: str = "",
    folder: Path = FIGURES,
) -> None:
    """Records the row of a fault, in place of an earlier one. Call it before asserting the goal:
    the table shows what was measured, reached or not. `quick` is the file in which `make test` has
    the same at a small size."""
    number = f"{count:,}" if isinstance(count, int) else count
    today = datetime.now(UTC).date().isoformat()
    command = f"`{command}`" + (f"; quick: `{quick}`" if quick else "")
    row = Row(fault, how, number, worst, goal, command, today)
    folder = folder / table
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"\W+", "-", fault.lower()).strip("-")
    text = json.dumps(asdict(row), ensure_ascii=False, indent=1)
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def recorded(folder: Path = FIGURES) -> dict[str, list[Row]]:
    """The rows that tests have recorded, by their tables."""
    return {
        table: [
            Row(**json.loads(file.read_text(encoding="utf-8")))
            for file in sorted((folder / table).glob("*.json"))
        ]
        for table in TABLES
    }


def with_figures(page: str, rows: dict[str, list[Row]]) -> str:
    """The page with its tables renewed: these rows, and those of other faults that stood there."""
    for table, heading in TABLES.items():
        begin, end = f"<!-- {table}: begin -->", f"<!-- {table}: end -->"
        before, _, rest = page.partition(begin)
        old, _, after = rest.partition(end)
        standing = [Row.parse(line) for line in old.strip().splitlines()[2:]]
        by_fault = {row.fault: row for row in [*standing, *rows.get(table, [])]}
        headings = (heading, *HEADINGS)
        lines = [_line(headings), _line(["---"] * len(headings))]
        lines += [str(by_fault[fault]) for fault in sorted(by_fault, key=str.lower)]
        page = "\n".join([before + begin, *lines, end + after])
    return page


def _line(cells: tuple[str, ...] | list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    rows = recorded()
    PAGE.write_text(with_figures(PAGE.read_text(encoding="utf-8"), rows), encoding="utf-8")
    sys.stdout.write(f"{PAGE.relative_to(ROOT)}: {sum(map(len, rows.values()))} rows measured\n")
