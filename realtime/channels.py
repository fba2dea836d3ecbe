"""Patterns of channel names, and the rules that say who may subscribe.

A rule is declared once per pattern, in an application's ``realtime.py``::

    @realtime.channel("private-todo-list.<int:pk>")
    def visible_lists(user):
        return TodoList.objects.visible_to(user)

It returns the objects that the user may see; what the pattern captures is looked up among them, all
channels of a stream at once. A rule of a pattern that captures nothing may return True or False.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet

from realtime import probes
from realtime.conf import settings
from realtime.exceptions import AlreadyRegistered, InvalidChannel
from realtime.names import CONTROL, is_private

_VARIABLE = re.compile(r"<(int|str):([a-z_][a-z0-9_]*)>")
# A bigint's 19 digits less one: no captured number can overflow a database's column.
_CONVERTERS = {"int": r"0|[1-9][0-9]{0,17}", "str": r"[-a-zA-Z0-9_=@,;]+"}

Allows = Callable[[Any], "QuerySet[Any] | bool"]
Captured = dict[str, int | str]


@dataclass
class Rule:
    """Who may subscribe to the channels that match a pattern."""

    pattern: str
    regex: re.Pattern[str]
    numbers: frozenset[str]
    allows: Allows
    model: str | None = None
    """Label of the model whose objects the rule returned; empty if it returns none, None if it has
    not been asked in this process yet."""

    def capture(self, name: str) -> Captured | None:
        """What the pattern's variables are in `name`, or None if it does not match."""
        match = self.regex.fullmatch(name)
        if match is None:
            return None
        return {
            variable: int(text) if variable in self.numbers else text
            for variable, text in match.groupdict().items()
        }

    def readable(self, user: Any, captures: dict[str, Captured]) -> set[str]:
        """Which of the channels the user may read; `captures` maps their names to `capture`."""
        allowed = self.allows(user)
        if isinstance(allowed, bool):
            self.model = ""
            return set(captures) if allowed else set()
        self.model = allowed.model._meta.label_lower
        fields = self.regex.groupindex
        possible = {
            name: captured
            for name, captured in captures.items()
            if fields.keys() <= self.numbers or _is_possible(allowed, captured)
        }
        if not possible:
            return set()
        wanted = Q()
        for captured in possible.values():
            wanted |= Q(**captured)
        rows = allowed.filter(wanted).values_list(*fields)
        found = {tuple(map(str, row)) for row in rows}
        return {
            name
            for name, captured in possible.items()
            if tuple(map(str, captured.values())) in found
        }

    def choices(self, user: Any, limit: int) -> list[tuple[str, str]]:
        """At most `limit` of the channels that the user may read, with what they are about, those
        with the greatest keys first, which are mostly the newest. None of them can be listed where
        the rule says True to whatever the pattern captures."""
        allowed = self.allows(user)
        fields = list(self.regex.groupindex)
        if isinstance(allowed, bool):
            return [(self.pattern, "")] if allowed and not fields else []
        captured = {f"channel_{field}": F(field) for field in fields}
        template = _VARIABLE.sub(r"<\2>", self.pattern)
        found = {}
        # DISTINCT ON goes by an order of its own.
        if not allowed.query.distinct_fields:
            allowed = allowed.order_by("-pk")
        for instance in allowed.annotate(**captured)[:limit]:
            name = template
            for field in fields:
                name = name.replace(f"<{field}>", str(getattr(instance, f"channel_{field}")))
            if self.regex.fullmatch(name):
                found[name] = str(instance)
        return list(found.items())

    def about(self, pk: object, names: Collection[str]) -> set[str]:
        """The channels among `names` whose right is to see the object `pk`, or may be so."""
        if set(self.regex.groupindex) in ({"pk"}, {"id"}):
            # One name, found without a look at thousands of others.
            name = _VARIABLE.sub(lambda _: str(pk), self.pattern)
            return {name} if name in names else set()
        return {name for name in names if self.regex.fullmatch(name)}


class Registry:
    """The declared rules of a project."""

    def __init__(self) -> None:
        self._rules: dict[str, Rule] = {}
        self._otherwise: Callable[[Any, str], bool] | None = None

    def add(self, pattern: str, allows: Allows) -> None:
        """Declares who may subscribe to `pattern`; raises `AlreadyRegistered` for a second rule."""
        if pattern in self._rules:
            raise AlreadyRegistered(f"The channels {pattern} have a rule already.")
        self._rules[pattern] = _compile(pattern, allows)

    def otherwise(self, allows: Callable[[Any, str], bool]) -> None:
        """Sets what decides whether a user may subscribe to a channel that has no rule: without it,
        nobody may."""
        self._otherwise = allows

    def readable(self, user: Any, names: Iterable[str]) -> set[str]:
        """The channels among `names` that `user` may subscribe to; unknown ones are not."""
        # In their order: so the same questions are asked, whatever the names are.
        names = list(names)
        found = self.ruled(user, names)
        if self._otherwise is None:
            return found
        return found | {
            name for name in names if name not in found and self._has_otherwise(user, name)
        }

    def _has_otherwise(self, user: Any, name: str) -> bool:
        if name == CONTROL or self.is_declared(name) or self._otherwise is None:
            return False
        return (user.is_authenticated or not is_private(name)) and self._otherwise(user, name)

    def ruled(self, user: Any, names: Iterable[str]) -> set[str]:
        """The channels among `names` that rules let `user` subscribe to."""
        captures: dict[str, dict[str, Captured]] = defaultdict(dict)
        readable: set[str] = set()
        for name in names:
            if probes.admits(name):
                readable.add(name)
                continue
            if is_private(name) and not user.is_authenticated:
                continue
            for pattern, rule in self._rules.items():
                captured = rule.capture(name)
                if captured is not None:
                    captures[pattern][name] = captured
                    break
            else:
                if is_public(name):
                    readable.add(name)
        for pattern, captured_names in captures.items():
            readable |= self._rules[pattern].readable(user, captured_names)
        return readable

    def choices(self, user: Any, limit: int) -> dict[str, list[tuple[str, str]]]:
        """By pattern, channels that `user` may subscribe to, each with what it is about; of a
        pattern at most `limit`, the newest."""
        found = {
            pattern: rule.choices(user, limit)
            for pattern, rule in self._rules.items()
            if user.is_authenticated or not is_private(pattern)
        }
        return {pattern: channels for pattern, channels in found.items() if channels}

    def is_declared(self, name: str) -> bool:
        """Whether there is a rule for a channel."""
        return any(rule.regex.fullmatch(name) for rule in self._rules.values())

    def about(self, model: str, pk: object, names: Collection[str]) -> set[str]:
        """The channels among `names` whose right may be to see the object `pk` of `model`."""
        rules = [rule for rule in self._rules.values() if rule.model in (model, None)]
        return set().union(*(rule.about(pk, names) for rule in rules))


def is_public(name: str) -> bool:
    """Whether anybody may read a channel that has no rule: ``REALTIME_PUBLIC_CHANNELS``."""
    if is_private(name) or name == CONTROL:
        return False
    return _public(settings.PUBLIC_CHANNELS).fullmatch(name) is not None


@lru_cache
def _public(patterns: str) -> re.Pattern[str]:
    escaped = (re.escape(pattern).replace(r"\*", ".*") for pattern in patterns.split())
    return re.compile("|".join(escaped) or "(?!)")


def _is_possible(objects: "QuerySet[Any]", captured: Captured) -> bool:
    """Whether fields can have what was captured: not every text is a UUID."""
    try:
        objects.filter(**captured)
    except (ValueError, ValidationError):
        return False
    return True


def _compile(pattern: str, allows: Allows) -> Rule:
    regex, numbers, end = "", set(), 0
    for variable in _VARIABLE.finditer(pattern):
        kind, name = variable.groups()
        regex += re.escape(pattern[end : variable.start()]) + f"(?P<{name}>{_CONVERTERS[kind]})"
        end = variable.end()
        if kind == "int":
            numbers.add(name)
    tail = pattern[end:]
    if "<" in tail or ">" in tail:
        raise InvalidChannel(f"{pattern}: a variable is written <int:field> or <str:field>.")
    return Rule(pattern, re.compile(regex + re.escape(tail), re.ASCII), frozenset(numbers), allows)


registry = Registry()


def channel(*patterns: str) -> Callable[[Allows], Allows]:
    """Declares the decorated function as the rule of the channels that match `patterns`.

    It is called with the user (perhaps Django's AnonymousUser, for channels without a ``private-``
    or ``presence-`` prefix) and returns the objects the user may see, or True or False.
    """

    def declare(allows: Allows) -> Allows:
        for pattern in patterns:
            registry.add(pattern, allows)
        return allows

    return declare
