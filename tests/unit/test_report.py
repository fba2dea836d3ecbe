"""The table of docs/reliability.md."""

from tests.torture.report import BEGIN, END, record, recorded, with_figures

PAGE = f"# Title\n\n{BEGIN}\n{END}\n\nProse."


def row(folder, fault, worst):
    options = {"how": "kill -9 | wait", "goal": "none", "command": "make torture", "count": 1200}
    record(fault, worst=worst, folder=folder, **options)


def test_rows_that_were_not_run_keep_what_stood_there(tmp_path):
    row(tmp_path / "first", "Herd", "9 s")
    row(tmp_path / "first", "Crash", "1 s")
    first = with_figures(PAGE, recorded(tmp_path / "first"))
    row(tmp_path / "second", "Crash", "2 s")
    second = with_figures(first, recorded(tmp_path / "second"))
    assert second == first.replace("| 1 s |", "| 2 s |")
    assert second != first
    assert second.startswith("# Title\n")
    assert second.endswith("\n\nProse.")
    faults = [line.split(" | ")[0] for line in second.splitlines() if line.startswith("|")]
    assert faults == ["| Fault", "| ---", "| Crash", "| Herd"]
    assert r"| kill -9 \| wait | 1,200 |" in second
