"""What one model needs of a Python file: as a file of its own, or added to one that is there.

To a file, lines are added, and names to its imports; nothing that is there is moved or changed.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from realtime.scaffolding.samples import WIDTH, bracketed

Import = tuple[str, str]
"""A module, and a name that is imported from it; an empty one if it is the module itself."""

_THIRD = ("django", "realtime", "rest_framework")


class NotAddable(Exception):
    """Something in the file stands in the way; the text says what."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a model needs of a file."""

    docstring: str
    imports: frozenset[Import]
    body: str
    defines: str
    """The name that the file has if the model's part is there."""

    def whole(self) -> str:
        """A file that has nothing else."""
        return f'"""{self.docstring}"""\n\n{_blocks(self.imports)}{self._gap}{self.body}'

    def added_to(self, text: str, package: str) -> str:
        """The file `text`, which belongs to `package`, with the part at its end. Raises
        `NotAddable`."""
        return f"{self._imported(text, package).rstrip()}\n{self._gap}{self.body}"

    def is_in(self, text: str) -> bool:
        """Whether the file has it, or something else of its name. Raises `NotAddable`."""
        return self.defines in bindings(text, "")

    def _imported(self, text: str, package: str) -> str:
        bound = bindings(text, package)
        for module, name in sorted(self.imports, key=_order):
            as_name = name.rpartition(" as ")[2] or module
            if as_name not in bound:
                text = _with_import(text, module, name)
            elif not _are_same(bound[as_name], (module, name)):
                raise NotAddable(f"{as_name} is something else there than {module}'s")
        return text

    @property
    def _gap(self) -> str:
        return "\n\n" if self.body.startswith(("class", "@")) else "\n"


@dataclass(frozen=True, slots=True)
class Routes(Part):
    """A registration with a router."""

    registration: str = ""
    """The call, with a place for the router's name: ``{router}.register(…)``."""

    def added_to(self, text: str, package: str) -> str:
        """As the base class; the call follows the last one of its kind."""
        tree = _parsed(text)
        view = next(iter(i for i in self.imports if i[1] == self.defines))
        found = _router(tree)
        if found:
            name, line = found
            lines = text.splitlines(keepends=True)
            lines.insert(line, self.registration.replace("{router}", name) + "\n")
            part = Part(self.docstring, frozenset([view]), "", self.defines)
            return part._imported("".join(lines), package)
        names = bindings(text, package)
        if "router" in names or "urlpatterns" not in names:
            raise NotAddable("it has no router, or no urlpatterns, that could be added to")
        body = self.body.replace("urlpatterns = ", "urlpatterns += ")
        return f"{self._imported(text, package).rstrip()}\n\n{body}"


def _router(tree: ast.Module) -> tuple[str, int] | None:
    """The name of a file's router, and the number of the line that the last thing is on which has
    been registered."""
    found: tuple[str, int] | None = None
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=made)) if ast.unparse(
                made
            ).endswith("Router"):
                found = name, node.end_lineno or 0
            case ast.Expr(value=ast.Call(func=ast.Attribute(ast.Name(id=name), "register"))) if (
                found and found[0] == name
            ):
                found = name, node.end_lineno or 0
    return found


def bindings(text: str, package: str) -> dict[str, Import]:
    """The names that a file's own level binds, with what imports bring; nothing for what is defined
    there. Raises `NotAddable` if it is not Python."""
    found: dict[str, Import] = {}
    for node in _parsed(text).body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found[name] = ("", "")
            case ast.Assign(targets=targets):
                found |= {one.id: ("", "") for one in targets if isinstance(one, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name)):
                found[name] = ("", "")
            case ast.Import(names=names):
                found |= {one.asname or one.name: (one.name, "") for one in names}
            case ast.ImportFrom(module=module, names=names, level=level):
                parts = package.split(".")[: 1 - level or None] if level else []
                origin = ".".join([*parts, *([module] if module else [])])
                found |= {one.asname or one.name: (origin, one.name) for one in names}
    return found


def _parsed(text: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError) as error:
        raise NotAddable(f"it is not Python ({error})") from error


def _are_same(one: Import, other: Import) -> bool:
    if one == other:
        return True
    objects = [_found(module, name.partition(" as ")[0]) for module, name in (one, other)]
    return objects[0] is not None and objects[0] is objects[1]


def _found(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None) if name else None


# Imports, as isort has them


def _blocks(imports: Iterable[Import]) -> str:
    """Import statements, sorted, a line for each module, a blank one between their kinds."""
    text = ""
    for module, name in sorted(imports, key=_order):
        text = _with_import(text, module, name)
    return text


def _with_import(text: str, module: str, name: str) -> str:
    lines = text.splitlines(keepends=True)
    statements = [one for one in _parsed(text).body if isinstance(one, ast.Import | ast.ImportFrom)]
    for one in statements:
        if _takes(one, module, name, text):
            names = [alias.name for alias in one.names] + [name]
            lines[one.lineno - 1 : one.end_lineno] = [_statement(module, names)]
            return "".join(lines)
    place, before, after = _place(statements, _order((module, name)), lines)
    lines[place:place] = [before, _statement(module, [name] if name else []), after]
    return "".join(lines)


def _takes(one: ast.Import | ast.ImportFrom, module: str, name: str, text: str) -> bool:
    """Whether a statement can be written anew with one more name."""
    if not (isinstance(one, ast.ImportFrom) and one.module == module and not one.level):
        return False
    if " as " in name or not name or any(alias.asname for alias in one.names):
        return False
    lines = text.splitlines()[one.lineno - 1 : one.end_lineno]
    # Neither a comment nor another statement beside it.
    return "\n".join(lines) == ast.get_source_segment(text, one) and "#" not in "".join(lines)


def _place(
    statements: list[ast.Import | ast.ImportFrom], order: tuple[Any, ...], lines: list[str]
) -> tuple[int, str, str]:
    """Before which line a statement belongs, and what is between it and its neighbours."""
    earlier = [one for one in statements if _order_of(one) < order]
    later = [one for one in statements if _order_of(one) > order]
    if same := [one for one in earlier if _order_of(one)[0] == order[0]]:
        return same[-1].end_lineno or 0, "", ""
    if same := [one for one in later if _order_of(one)[0] == order[0]]:
        return same[0].lineno - 1, "", ""
    if earlier:
        return earlier[-1].end_lineno or 0, "\n", ""
    if later:
        return later[0].lineno - 1, "", "\n"
    body = _parsed("".join(lines)).body
    has_docstring = bool(body) and isinstance(body[0], ast.Expr)
    place = (body[0].end_lineno or 0) if has_docstring else 0
    return place, "\n" if place else "", "\n" if lines[place:] and lines[place].strip() else ""


def _order_of(statement: ast.Import | ast.ImportFrom) -> tuple[Any, ...]:
    if isinstance(statement, ast.Import):
        return _order((statement.names[0].name, ""))
    if statement.level:
        return 3, True, "", ""
    return _order((statement.module or "", statement.names[0].name))


def _order(one: Import) -> tuple[Any, ...]:
    module, name = one
    return _kind(module), bool(name), module, name


def _kind(module: str) -> int:
    """0 for what Python brings, 1 for what is installed, 2 for the project's own."""
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return 0
    if top in _THIRD:
        return 1
    spec = find_spec(top)
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""] if spec else []
    return 1 if any(place and is_installed(Path(place)) for place in places) else 2


def is_installed(path: Path) -> bool:
    """Whether a file or folder belongs to an installed package, not to a project."""
    folders = (Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib"))
    return any(path.resolve().is_relative_to(folder) for folder in folders)


def _statement(module: str, names: list[str]) -> str:
    if not names:
        return f"import {module}\n"
    names = sorted(set(names), key=lambda name: (not name.isupper(), not name[0].isupper(), name))
    line = f"from {module} import {', '.join(names)}"
    if len(line) > WIDTH:
        line = bracketed(f"from {module} import (", names, ")", 0)
    return f"{line}\n"
