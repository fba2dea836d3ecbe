"""Python literals that a model's fields may be set to, for a test."""

import ast
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice, product
from typing import Any

from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import CheckConstraint, DecimalField, Field, Model, Q, UUIDField

_ATTEMPTS = 1000
"""Sets of values that are tried out at most until all constraints are met."""

_NUMBERS = ("1", "2", "10", "100", "0", "-1")
_COUNTS = _NUMBERS[:-1]
_FRACTIONS = ('"0.5"', '"0.1"', '"0.2"', '"0.9"', '"0"', '"-0.5"')
_TEXT = ('"text"',)
_VALUES: Mapping[str, tuple[str, ...]] = {
    "BigIntegerField": _NUMBERS,
    "BinaryField": ('b"1"',),
    "BooleanField": ("False", "True"),
    "CharField": _TEXT,
    "CommaSeparatedIntegerField": ('"1"',),
    "DateField": ('"2030-01-01"', '"2030-01-02"', '"2031-01-01"', '"2020-01-01"'),
    "DateTimeField": (
        '"2030-01-01T00:00:00Z"',
        '"2030-01-01T01:00:00Z"',
        '"2030-01-02T00:00:00Z"',
        '"2020-01-01T00:00:00Z"',
    ),
    "DecimalField": _NUMBERS,
    "DurationField": ("timedelta(1)", "timedelta(2)", "timedelta(0)"),
    "FileField": ('"file.txt"',),
    "FilePathField": ('"/file"',),
    "FloatField": ("1.0", "2.0", "10.0", "0.5", "0.0", "-1.0"),
    "GenericIPAddressField": ('"127.0.0.1"',),
    "IntegerField": _NUMBERS,
    "JSONField": ("{}",),
    "PositiveBigIntegerField": _COUNTS,
    "PositiveIntegerField": _COUNTS,
    "PositiveSmallIntegerField": _COUNTS,
    "SlugField": ('"slug"',),
    "SmallIntegerField": _NUMBERS,
    "TextField": _TEXT,
    "TimeField": ('"00:00"', '"01:00"'),
    "UUIDField": ('"00000000-0000-4000-8000-000000000001"',),
}


class NoSample(Exception):
    """Nothing is known that a required field could be set to."""


def chosen(model: type[Model], fields: list["Field[Any, Any]"]) -> dict[str, str]:
    """A literal for each of these fields of a model, so that its check constraints are met.

    Raises `NoSample` with what is not known.
    """
    possible = {field.name: _alternatives(field) for field in fields}
    values = {name: alternatives[0] for name, alternatives in possible.items()}
    if not (broken := _broken(model, values)):
        return values
    bound = {name for name in _referenced(model) if len(possible.get(name, ())) > 1}
    for some in islice(product(*(possible[name] for name in sorted(bound))), _ATTEMPTS):
        values |= dict(zip(sorted(bound), some, strict=True))
        if not _broken(model, values):
            return values
    raise NoSample(f"{model._meta.label}'s fields by the constraint {broken}")


def _alternatives(field: "Field[Any, Any]") -> tuple[str, ...]:
    choices = [value for value, _ in field.flatchoices]
    if choices and isinstance(choices[0], str | int):
        return tuple(quoted(value) for value in choices)
    values = _VALUES.get(field.get_internal_type())
    if values is None:
        raise NoSample(f"{field.model._meta.label}.{field.name}")
    if isinstance(field, DecimalField):
        return _decimals(field)
    # That of a UUID is of its 32 digits, not of the text that it is written as.
    if field.max_length and not isinstance(field, UUIDField):
        return tuple(
            quoted(ast.literal_eval(value)[: field.max_length]) if value[0] == '"' else value
            for value in values
        )
    return values


def _decimals(field: "DecimalField[Any, Any]") -> tuple[str, ...]:
    """Numbers that have no more digits than the field, before the point and after it."""
    if field.max_digits is None or field.decimal_places is None:
        return _NUMBERS
    digits = field.max_digits - field.decimal_places
    return tuple(one for one in _NUMBERS if len(one.lstrip("-")) <= digits) or _FRACTIONS


def _checks(model: type[Model]) -> Iterator[CheckConstraint]:
    # Of its parents, too.
    for _, constraints in model().get_constraints():
        yield from (one for one in constraints if isinstance(one, CheckConstraint))


def _referenced(model: type[Model]) -> set[str]:
    return {name for check in _checks(model) for name in Q(check.condition).referenced_base_fields}


def _broken(model: type[Model], values: Mapping[str, str]) -> str:
    """The name of a constraint that the values do not meet; empty if they meet all."""
    instance = model()
    for name, text in values.items():
        field: Any = model._meta.get_field(name)
        setattr(instance, field.attname, field.to_python(_evaluated(text)))
    for check in _checks(model):
        try:
            check.validate(model, instance, using=router.db_for_write(model))
        except ValidationError:
            return check.name
    return ""


def _evaluated(text: str) -> Any:
    if text.startswith("timedelta"):
        return timedelta(ast.literal_eval(text.removeprefix("timedelta")))
    return ast.literal_eval(text)


def quoted(value: str | int) -> str:
    """A literal, in double quotes if that needs no escapes."""
    text = repr(value)
    if text.startswith("'") and '"' not in text and "\\" not in text:
        return f'"{text[1:-1]}"'
    return text
