"""The documents say what is so."""

import ast
import re
from dataclasses import fields

import pytest

from api.env import Environment
from realtime.conf import Settings
from tests.servers import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
READERS = ("api/settings.py", "gunicorn.conf.py")
PLAIN = re.compile(r'env\.(?:number|rate)\(\s*"([A-Z_]+)",\s*"?([^",) ]+)"?\s*[,)]')

every_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


@pytest.fixture(scope="module")
def table():
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|([^|]*)\|", (ROOT / "README.md").read_text(), re.M)
    return {
        name: default.strip().strip("`")
        for names, default in rows
        for name in re.findall(r"`(\w+)`", names)
    }


@pytest.fixture(scope="module")
def code():
    return "".join((ROOT / path).read_text() for path in READERS)


def headings(path):
    """The anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_real_time_setting_is_in_the_readme_with_its_default(table):
    texts = [field for field in fields(Settings) if isinstance(field.default, str)]
    numbers = [field for field in fields(Settings) if field not in texts]
    documented = {name: value for name, value in table.items() if "REALTIME" in name}
    assert documented == {f"REALTIME_{f.name}": f"{f.default:.15g}" for f in numbers} | {
        f"REALTIME_{f.name}": f.default for f in texts
    }


def test_every_other_variable_is_in_the_readme(table, code):
    kinds = "|".join(name for name in vars(Environment) if not name.startswith("_"))
    read = set(re.findall(rf'env\.(?:{kinds})\(\s*"([A-Z_]+)"', code))
    # Those three are read together.
    read |= set(re.findall(r'"(PUSHER_[A-Z_]+)"', (ROOT / "api/env.py").read_text()))
    assert read == {name for name in table if not name.startswith("REALTIME_")}


def test_plain_defaults_are_those_in_the_readme(table, code):
    plain = dict(PLAIN.findall(code))
    assert {"PORT", "WEB_CONCURRENCY", "THROTTLE_USER", "THROTTLE_ANON"} <= set(plain)
    assert {name: table[name] for name in plain} == plain


@every_document
def test_links_and_pictures_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text()):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        linked = path.parent / file if file else path
        assert linked.exists(), target
        assert not anchor or anchor in headings(linked), target


@every_document
def test_python_examples_compile(path):
    for code in re.findall(r"```python\n(.*?)```", path.read_text(), re.S):
        assert compile(code, path.name, "exec")


@every_document
def test_every_target_that_is_named_exists(path):
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"`make ([a-z-]+)|^\$ make ([a-z-]+)", path.read_text(), re.M):
        assert re.search(rf"^{''.join(target)}:", makefile, re.M), target


@every_document
def test_every_setting_that_is_named_exists(path, table):
    named = set(re.findall(r"`(REALTIME_\w+)`", path.read_text()))
    assert named <= set(table)


@every_document
def test_this_package_s_templates_are_found_first(path):
    for added in re.findall(r"^INSTALLED_APPS \+= (\[.*\])$", path.read_text(), re.M):
        names = ast.literal_eval(added)
        if {"realtime", "rest_framework"} <= set(names):
            assert names.index("realtime") < names.index("rest_framework")
