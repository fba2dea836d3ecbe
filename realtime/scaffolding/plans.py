"""Which files are written, which are added to, and what is left to be done by hand."""

from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

from django.core.management.base import CommandError

from realtime.scaffolding.additions import NotAddable, Part

_CRLF = "\r\n"


class Plan:
    """What is to be written in the application of a `package`."""

    def __init__(self, package: str) -> None:
        self._package = package
        self.new: dict[Path, str] = {}
        self.changed: dict[Path, tuple[str, str]] = {}
        """What files have now, and what they are to have."""
        self.left: list[str] = []
        """What is to be done by hand."""

    def add(self, path: Path, part: Part) -> None:
        """Raises `CommandError` if something that is there stands in the way."""
        shadowing = path.with_suffix("")
        if shadowing.is_dir():
            raise CommandError(f"{shown(path)} would be hidden by the package {shown(shadowing)}.")
        try:
            self._add(path, part)
        except (NotAddable, OSError, UnicodeError) as error:
            raise CommandError(f"Nothing can be added to {shown(path)}: {error}.") from error

    def _add(self, path: Path, part: Part) -> None:
        text = _read(path) if path.exists() else None
        if text is None:
            self.new[path] = part.whole()
        elif not text.strip():
            self.changed[path] = text, part.whole()
        elif not part.is_in(text):
            added = part.added_to(text.replace(_CRLF, "\n"), self._package)
            self.changed[path] = text, added.replace("\n", _CRLF) if _CRLF in text else added
        elif path.name == "realtime.py":
            raise NotAddable(f"it has another {part.defines}")
        else:
            self.left.append(f"{shown(path)} has {part.defines} already, and stays as it is.")
            if path.name == "viewsets.py":
                self.left[-1] += f" What it needs:\n{part.body}"

    def write(self) -> None:
        """Writes all of it, or nothing; raises `CommandError`."""
        written: list[Path] = []
        try:
            for path, content in self.new.items():
                with path.open("x", encoding="utf-8") as file:
                    written.append(path)
                    file.write(content)
            for path, (_, content) in self.changed.items():
                written.append(path)
                _write(path, content)
        except OSError as error:
            for path in written:
                if path in self.changed:
                    _write(path, self.changed[path][0])
                else:
                    path.unlink()
            raise CommandError(f"Nothing was written: {error}") from error

    def forecast(self) -> Iterator[str]:
        """The new files, and what would be added to the others."""
        for path, content in self.new.items():
            yield f"# {shown(path)}\n{content}\n"
        for path, (before, after) in self.changed.items():
            name, lines = shown(path), (before.splitlines(True), after.splitlines(True))
            yield "".join(unified_diff(*lines, name, name, n=1))


def _read(path: Path) -> str:
    # As it is, with its own ends of lines.
    return path.read_bytes().decode()


def _write(path: Path, content: str) -> None:
    path.write_bytes(content.encode())


def shown(path: Path) -> str:
    """A path as one would type it."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
