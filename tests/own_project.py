"""A Django project of somebody else's, which has nothing of this one but its wheel, made by
following the documents."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.ports import free_port, wait_until
from tests.servers import ROOT, START

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
_NAME = re.compile(r"^(?:# |// |\{# )(\S+\.\w+)(?: #\})?\n")
# What of this repository could be imported by mistake.
_OURS = ("api", "todos", "accounts", "compare", "frontend", "tests", "benchmarks", "manage")
# By what its tests are run.
_TOOLS = ("pytest", "pytest-django")


def absent() -> list[str]:
    """What can't be imported there: whatever the wheel's requirements, with the extra that the
    document names, do not bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"], *project["optional-dependencies"]["gunicorn"], *_TOOLS]
    kept = _brought([Requirement(one) for one in required])
    return sorted(
        name
        for name, distributions in importlib.metadata.packages_distributions().items()
        if name.isidentifier() and not kept & {canonicalize_name(one) for one in distributions}
    )


def _brought(requirements: list[Requirement]) -> set[str]:
    """The distributions that installing these would bring."""
    found: set[str] = set()
    waiting = [(one, extra) for one in requirements for extra in ("", *one.extras)]
    seen = set()
    while waiting:
        required, extra = waiting.pop()
        name = canonicalize_name(required.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            needed = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # One for another platform.
        found.add(name)
        for one in map(Requirement, needed):
            if one.marker is None or one.marker.evaluate({"extra": extra}):
                waiting += [(one, each) for each in ("", *one.extras)]
    return found


def blocks(document: str, kind: str) -> list[str]:
    """The code blocks of a document that are of a kind, as they are written."""
    text = (ROOT / "docs" / document).read_text()
    return [code for language, code in _BLOCK.findall(text) if language == kind]


def files(document: str) -> dict[str, str]:
    """What a document says should be in which file: the file's name is the block's first line."""
    found = {}
    for kind in ("python", "html", "js"):
        for code in blocks(document, kind):
            if name := _NAME.match(code):
                found[name[1]] = code[name.end() :]
    return found


def commands(document: str) -> list[list[str]]:
    """The commands that a document has one type."""
    lines = "\n".join(blocks(document, "console")).splitlines()
    return [line[2:].split() for line in lines if line.startswith("$ ")]


class OwnProject:
    """A folder with a project, and what of it is run."""

    def __init__(self, folder: Path, packages: Path, *, alone: bool = True) -> None:
        """`packages` is where the wheel is unpacked; if `alone`, nothing can be imported
        there but what this package needs, and gunicorn."""
        self.folder = folder
        self._packages, self._alone = packages, alone
        hidden = folder.parent / f"{folder.name}-hidden"
        hidden.mkdir(parents=True)
        names = [*_OURS, *(absent() if alone else [])]
        (hidden / "sitecustomize.py").write_text(
            f"import sys\nfor name in {names!r}:\n    sys.modules.setdefault(name)\n"
        )
        kept = {name: text for name, text in os.environ.items() if "DJANGO" not in name}
        self.environ = kept | {
            "PYTHONPATH": f"{hidden}{os.pathsep}{packages}",
            # Of this environment's plugins, some need what is hidden.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "DJANGO_SUPERUSER_USERNAME": "alice",
            "DJANGO_SUPERUSER_PASSWORD": "realtime",
            "DJANGO_SUPERUSER_EMAIL": "alice@example.org",
        }
        for name in ("SECRET_KEY", "DATABASE_URL", "DEBUG"):
            self.environ.pop(name, None)

    def copy(self, name: str) -> Self:
        """Another project with the same files and data, to be changed."""
        folder = self.folder.parent / name
        shutil.copytree(self.folder, folder)
        return type(self)(folder, self._packages, alone=self._alone)

    def run(self, *command: str, fails: bool = False, folder: Path | None = None) -> str:
        """What a command prints."""
        if command[0] == "python":
            command = (sys.executable, *command[1:])
        elif command[0] != sys.executable:
            command = (str(Path(sys.executable).with_name(command[0])), *command[1:])
        answer = subprocess.run(
            command,
            env=self.environ,
            cwd=folder or self.folder,
            check=False,
            capture_output=True,
            text=True,
            timeout=100,
        )
        printed = answer.stdout + answer.stderr
        assert (answer.returncode != 0) == fails, printed
        return printed

    def manage(self, *arguments: str, fails: bool = False) -> str:
        """What a management command prints."""
        return self.run("python", "manage.py", *arguments, fails=fails)

    def write(self, name: str, text: str) -> None:
        """Writes a file, or adds to the end of the settings."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "settings.py":
            text = path.read_text() + text
        path.write_text(text)

    @contextmanager
    def serving(self, *command: str, address: str = "") -> Iterator[str]:
        """Runs a server, told where to listen by ``{address}``; yields its URL."""
        address = address or f"127.0.0.1:{free_port()}"
        program, *arguments = [part.replace("{address}", address) for part in command]
        if program == "python":
            program = sys.executable
        else:
            program = str(Path(sys.executable).with_name(program))
        log = self.folder.parent / "server.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [program, *arguments],
                env=self.environ,
                cwd=self.folder,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
            try:
                wait_until(lambda: _answers(process, address), "the server to answer", START)
                yield f"http://{address}"
            except AssertionError as error:
                raise AssertionError(f"{error}; it printed:\n{log.read_text()}") from error
            finally:
                process.terminate()
                process.wait(20)


def _answers(process: "subprocess.Popen[bytes]", address: str) -> bool:
    assert process.poll() is None, "The server ended by itself"
    try:
        return httpx.get(f"http://{address}/api/events/", timeout=5).status_code == 400
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the wheel that is built from a copy of this repository."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    for package in ("realtime", "api", "todos"):
        shutil.copytree(ROOT / package, source / package, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "-w", str(folder), str(source)]
    subprocess.run(build, check=True, timeout=100)
    return folder


@pytest.fixture(scope="session")
def packages(wheel: Path) -> Path:
    """A folder into which the wheel is installed, without what it needs: that is here already."""
    (file,) = wheel.glob("*.whl")
    target = wheel / "packages"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--no-deps", "--target", str(target), str(file)]
    subprocess.run(install, check=True, timeout=100)
    return target
