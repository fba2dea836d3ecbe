"""The tables of docs/reliability.md."""

from tests.torture.report import record, recorded, with_figures

PAGE = """# Title

<!-- figures: begin -->
<!-- figures: end -->

Prose.

<!-- abuse: begin -->
<!-- abuse: end -->
"""


def row(folder, fault, worst, **more):
    options = {"how": "kill -9 | wait", "goal": "none", "command": "make torture", "count": 1200}
    record(fault, worst=worst, folder=folder, **options, **more)


def test_rows_that_were_not_run_keep_what_stood_there(tmp_path):
    row(tmp_path / "first", "Herd", "9 s")
    row(tmp_path / "first", "Crash", "1 s")
    first = with_figures(PAGE, recorded(tmp_path / "first"))
    row(tmp_path / "second", "Crash", "2 s")
    second = with_figures(first, recorded(tmp_path / "second"))
    assert second == first.replace("| 1 s |", "| 2 s |")
    assert second != first
    assert second.startswith("# Title\n")
    assert "\n\nProse.\n\n" in second
    faults = [line.split(" | ")[0] for line in second.splitlines() if line.startswith("|")]
    assert faults == ["| Fault", "| ---", "| Crash", "| Herd", "| Abuse", "| ---"]
    assert r"| kill -9 \| wait | 1,200 |" in second


def test_abuse_has_a_table_of_its_own(tmp_path):
    row(tmp_path, "Crash", "1 s")
    row(tmp_path, "Forged", "0", table="abuse", quick="tests/e2e/test_x.py")
    page = with_figures(PAGE, recorded(tmp_path))
    faults, abuse = page.split("Prose.")
    assert "Forged" not in faults
    assert "Crash" not in abuse
    assert "| `make torture`; quick: `tests/e2e/test_x.py` |" in abuse
    assert with_figures(page, recorded(tmp_path)) == page
