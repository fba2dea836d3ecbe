"""What runs leave for the report and the plots. Pure of all that either of them needs."""

from pathlib import Path

from benchmarks.data import Figure

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "test-artifacts" / "benchmarks"
"""A file for each figure."""
PAGE = ROOT / "docs" / "performance.md"
IMAGES = ROOT / "docs" / "images"


def save(figure: Figure, folder: Path = FOLDER) -> None:
    """Keeps what was measured, in place of what was measured earlier."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{figure.name}.json").write_text(figure.to_json(), encoding="utf-8")


def saved(folder: Path = FOLDER) -> list[Figure]:
    """All that runs have left."""
    return [Figure.from_json(file.read_text("utf-8")) for file in sorted(folder.glob("*.json"))]


def image(figure: Figure, number: int) -> str:
    """The name of a figure's plot."""
    return f"performance-{figure.name}{f'-{number + 1}' if number else ''}.svg"
