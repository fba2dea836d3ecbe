"""The documents say what is so."""

import re
from dataclasses import fields

import pytest

from realtime.conf import Settings
from tests.servers import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def table():
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|([^|]*)\|", (ROOT / "README.md").read_text(), re.M)
    return {
        name: default.strip().strip("`") for names, default in rows
        for name in re.findall(r"`(\w+)`", names)
    }  # fmt: skip


def test_every_real_time_setting_is_in_the_readme_with_its_default(table):
    documented = {name: float(value) for name, value in table.items() if "REALTIME" in name}
    assert documented == {
        f"REALTIME_{field.name}": float(field.default) for field in fields(Settings)
    }


def test_every_other_variable_is_in_the_readme(table):
    code = (ROOT / "api" / "settings.py").read_text() + (ROOT / "gunicorn.conf.py").read_text()
    read = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', code))
    assert read == {name for name in table if not name.startswith("REALTIME_")}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_examples_compile(path):
    for code in re.findall(r"```python\n(.*?)```", path.read_text(), re.S):
        assert compile(code, path.name, "exec")


def test_every_target_that_is_named_exists():
    makefile = (ROOT / "Makefile").read_text()
    for path in DOCUMENTS:
        for target in re.findall(r"make ([a-z-]+)", path.read_text()):
            assert re.search(rf"^{target}:", makefile, re.M), target
