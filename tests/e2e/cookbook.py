"""The recipes of docs/cookbook.md, taken out of it, and laid out as an application."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers import DEADLINE, ROOT

CLIENTS = ROOT / "tests/clients/node_modules"
NODE = shutil.which("node")
PAGES = ("plain", "own", "react", "vue", "htmx")
_TEXT = (ROOT / "docs/cookbook.md").read_text()
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
_NAME = re.compile(r"^(?:# |// |\{# |<!-- )(\S+\.\w+)(?: #\}| -->)?\n")
BLOCKS = _BLOCK.findall(_TEXT)
FILES = {name[1]: code[name.end() :] for _, code in BLOCKS if (name := _NAME.match(code))}
COMMANDS = [code for kind, code in BLOCKS if kind == "bash"]

_SETTINGS = """
from api.settings import *
INSTALLED_APPS = [*INSTALLED_APPS, "pages"]
ROOT_URLCONF = "pages.everything"
"""
_EVERYTHING = """
from django.contrib.auth.decorators import login_required
from django.shortcuts import render
from django.urls import include, path
from api.urls import handler400, handler404, handler500

urlpatterns = [
    path("cookbook/<name>/", lambda request, name: render(request, f"pages/{name}.html")),
    path("", include("pages.urls")),
    path("", include("api.urls")),
]
"""


def lay_out(folder: Path) -> None:
    """Writes the recipes' files, bundled where they want it, and the rest of an application."""
    static = folder / "pages/static/pages"
    for name, code in FILES.items():
        path = folder / name
        if path.suffix in (".js", ".jsx", ".vue"):
            path = (static if "/" not in name else folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
    (folder / "pages/__init__.py").touch()
    (folder / "pages/everything.py").write_text(_EVERYTHING)
    (folder / "cookbook_settings.py").write_text(_SETTINGS)
    templates = folder / "pages/templates/pages"
    for name in PAGES[:4]:
        page = FILES["pages/templates/pages/todos.html"]
        assert "pages/plain.js" in page
        (templates / f"{name}.html").write_text(page.replace("plain.js", f"{name}.js"))
    for name in ("htmx.min.js", "ext/hx-sse.min.js"):
        shutil.copy(CLIENTS / "htmx.org/dist" / name, static)
    entries = [str(next((folder / name).glob("main.*"))) for name in ("react", "vue")]
    bundle = [str(NODE), str(ROOT / "tests/e2e/bundle.mjs"), *entries, str(static)]
    subprocess.run(bundle, check=True, timeout=DEADLINE)


def needed() -> None:
    """Skips where Node or its packages are missing."""
    if NODE is None or not (CLIENTS / "esbuild").exists():
        pytest.skip("Node and the packages of tests/clients are not installed")
