"""Python source that makes an object of a model, for a test."""

import keyword
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import NOT_PROVIDED, Field, Model
from rest_framework.test import APITestCase

from realtime.publishing.publisher import kebab
from realtime.scaffolding.values import NoSample, chosen

WIDTH = 88
"""Characters of a line, as formatters have it by default."""

_INDENT = 8
_RESERVED = ("user", "client", "create")
"""What a test case has beside the attributes of its class."""


class Sample:
    """How to make an object, and all that it takes. Its field `owner` is set, too, if it is given,
    to the user whom tests have as ``self.user``."""

    def __init__(self, model: type[Model], owner: str | None = None) -> None:
        self._owner = owner and model._meta.get_field(owner)
        self.imports: set[tuple[str, str]] = set()
        self.needed: list[str] = []
        """Statements that make what it points to, as attributes of the test. Each may be live
        itself, so they come before anything is listened to."""
        self.statements: list[str] = []
        """Statements that make it and return it."""
        self.unknown = ""
        """What no value is known of, if there is such a thing."""
        self._attributes: dict[type[Model], str] = {}
        self._names: dict[str, type[Model]] = {}
        try:
            name = variable(kebab(model.__name__).replace("-", "_"))
            self.statements = self._made(model, (), name)
        except NoSample as error:
            self.unknown = str(error)
            self.imports = {(model.__module__, model.__name__)}
            self.needed = []
            self.statements = [f"return {model.__name__}.objects.create()"]

    def _made(self, model: type[Model], path: tuple[type[Model], ...], target: str) -> list[str]:
        """Statements that make an object; for the first one with ``return``."""
        if model in path:
            raise NoSample(model._meta.label)
        name = self._name(model)
        values = self._values(model, (*path, model))
        start, end = (f"{target} = ", []) if path else ("return ", [f"return {target}"])
        if "self" not in values:
            arguments = [f"{field}={value}" for field, value in values.items()]
            made = f"{name}.{model._default_manager.name}.create"
            return [call(made, arguments, _INDENT, start)]
        # Python has no keyword argument of that name left.
        assigned = [f"{target}.{field} = {value}" for field, value in values.items()]
        return [f"{target} = {name}()", *assigned, f"{target}.save()", *end]

    def _values(self, model: type[Model], path: tuple[type[Model], ...]) -> dict[str, str]:
        required = [
            field
            for field in model._meta.concrete_fields
            if field is self._owner or _is_required(field)
        ]
        plain = chosen(model, [field for field in required if not field.is_relation])
        if any(value.startswith("timedelta") for value in plain.values()):
            self.imports.add(("datetime", "timedelta"))
        return {
            field.name: self._related(field, path) if field.is_relation else plain[field.name]
            for field in required
        }

    def _related(self, field: "Field[Any, Any]", path: tuple[type[Model], ...]) -> str:
        related: Any = field.related_model
        if related is get_user_model():
            return "self.user"
        if related not in self._attributes:
            attribute = _attribute(related, set(self._attributes.values()))
            self.needed += self._made(related, path, f"self.{attribute}")
            self._attributes[related] = attribute
        return f"self.{self._attributes[related]}"

    def _name(self, model: type[Model]) -> str:
        """What the model is imported as."""
        name = model.__name__
        if self._names.setdefault(name, model) is not model:
            label = model._meta.app_label.title().replace("_", "")
            self.imports.add((model.__module__, f"{name} as {label}{name}"))
            return f"{label}{name}"
        self.imports.add((model.__module__, name))
        return name


def _attribute(model: type[Model], taken: set[str]) -> str:
    name = variable(kebab(model.__name__).replace("-", "_"))
    while name in taken or name in _RESERVED or hasattr(APITestCase, name):
        name += "_"
    return name


def _is_required(field: "Field[Any, Any]") -> bool:
    automatic = field.primary_key and field.get_internal_type().endswith("AutoField")
    parent = field.is_relation and getattr(field.remote_field, "parent_link", False)
    given = field.default is not NOT_PROVIDED or field.null or getattr(field, "auto_now", False)
    given = given or getattr(field, "auto_now_add", False) or field.db_default is not NOT_PROVIDED
    return not (automatic or parent or given or field.generated or field.blank)


def user_arguments(user: Any) -> list[str]:
    """The arguments that make a user of the project's."""
    name = user.USERNAME_FIELD
    field = user._meta.get_field(name)
    value = "reader@example.org" if field.get_internal_type() == "EmailField" else "reader"
    if "mail" in name:
        value = "reader@example.org"
    return [f'{name}="{value}"']


def call(start: str, arguments: list[str], indent: int = 8, before: str = "") -> str:
    """A call on one line if it fits, else with each argument on a line of its own."""
    return bracketed(f"{start}(", arguments, ")", indent, before, shown=True)


def bracketed(
    start: str, parts: list[str], end: str, indent: int, before: str = "", *, shown: bool = False
) -> str:
    """What is between brackets, on one line or on several; `before` is left of it, and in the
    answer if it is to be `shown`."""
    left = before if shown else ""
    line = f"{start}{', '.join(parts)}{end}"
    if "\n" not in line and indent + len(before) + len(line) <= WIDTH:
        return left + line
    inner = " " * (indent + 4)
    lines = [inner + part.replace("\n", "\n    ") + "," for part in parts]
    return "\n".join([left + start, *lines, " " * indent + end])


def variable(name: str) -> str:
    """A name that a variable of a method may have."""
    return f"{name}_" if keyword.iskeyword(name) or name == "self" else name
