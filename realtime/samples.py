"""Python source that makes an object of a model, for a test."""

import keyword
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import NOT_PROVIDED, Field, Model

WIDTH = 88
"""Characters of a line, as formatters have it by default."""

_VALUES = {
    "BigIntegerField": "1",
    "BinaryField": 'b"1"',
    "CharField": '"text"',
    "CommaSeparatedIntegerField": '"1"',
    "DateField": '"2030-01-01"',
    "DateTimeField": '"2030-01-01T00:00:00Z"',
    "DecimalField": "1",
    "DurationField": "timedelta(1)",
    "FileField": '"file.txt"',
    "FilePathField": '"/file"',
    "FloatField": "1.0",
    "GenericIPAddressField": '"127.0.0.1"',
    "IntegerField": "1",
    "JSONField": "{}",
    "PositiveBigIntegerField": "1",
    "PositiveIntegerField": "1",
    "PositiveSmallIntegerField": "1",
    "SlugField": '"slug"',
    "SmallIntegerField": "1",
    "TextField": '"text"',
    "TimeField": '"00:00"',
    "UUIDField": '"00000000-0000-4000-8000-000000000001"',
}


class NoSample(Exception):
    """Nothing is known that a required field could be set to."""


class Sample:
    """How to make an object, and all that it takes. Its field `owner` is set, too, if it is given,
    to the user whom tests have as ``self.user``."""

    def __init__(self, model: type[Model], owner: str | None = None) -> None:
        self._owner = owner and model._meta.get_field(owner)
        self.imports: set[tuple[str, str]] = set()
        self.expression = ""
        """An expression that makes it; empty if that is not known."""
        self.unknown = ""
        """The field of which no value is known, if there is one."""
        try:
            self.expression = self._create(model, ())
        except NoSample as error:
            self.unknown = str(error)

    def _create(self, model: type[Model], path: tuple[type[Model], ...]) -> str:
        if model in path:
            raise NoSample(model._meta.label)
        self.imports.add((model.__module__, model.__name__))
        values = [
            f"{field.name}={self._value(field, (*path, model))}"
            for field in model._meta.concrete_fields
            if field is self._owner or _is_required(field)
        ]
        return call(f"{model.__name__}.{model._default_manager.name}.create", values)

    def _value(self, field: "Field[Any, Any]", path: tuple[type[Model], ...]) -> str:
        if field.is_relation:
            related: Any = field.related_model
            if related is get_user_model():
                return "self.user"
            return self._create(related, path)
        choices = [value for value, _ in field.flatchoices]
        if choices and isinstance(choices[0], str | int):
            return quoted(choices[0])
        value = _VALUES.get(field.get_internal_type())
        if value is None:
            raise NoSample(f"{field.model._meta.label}.{field.name}")
        if value.startswith("timedelta"):
            self.imports.add(("datetime", "timedelta"))
        if value == '"text"' and field.max_length:
            return quoted("text"[: field.max_length])
        return value


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


def quoted(value: str | int) -> str:
    """A literal, in double quotes if that needs no escapes."""
    text = repr(value)
    if text.startswith("'") and '"' not in text and "\\" not in text:
        return f'"{text[1:-1]}"'
    return text


def call(start: str, arguments: list[str], indent: int = 8, before: str = "") -> str:
    """A call on one line if it fits, else with each argument on a line of its own."""
    return bracketed(f"{start}(", arguments, ")", indent, before)


def bracketed(start: str, parts: list[str], end: str, indent: int, before: str = "") -> str:
    """What is between brackets, on one line or on several; `before` is left of it."""
    line = f"{start}{', '.join(parts)}{end}"
    if "\n" not in line and indent + len(before) + len(line) <= WIDTH:
        return line
    inner = " " * (indent + 4)
    lines = [inner + part.replace("\n", "\n    ") + "," for part in parts]
    return "\n".join([start, *lines, " " * indent + end])


def variable(name: str) -> str:
    """A name that a variable may have."""
    return f"{name}_" if keyword.iskeyword(name) else name
