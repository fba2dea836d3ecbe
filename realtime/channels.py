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
from typing import Any

from django.db.models import Q, QuerySet

from realtime import probes
from realtime.exceptions import AlreadyRegistered, InvalidChannel
from realtime.names import is_private

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
        wanted = Q()
        for captured in captures.values():
            wanted |= Q(**captured)
        found = set(allowed.filter(wanted).values_list(*fields))
        return {name for name, captured in captures.items() if tuple(captured.values()) in found}

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

    def add(self, pattern: str, allows: Allows) -> None:
        """Declares who may subscribe to `pattern`; raises `AlreadyRegistered` for a second rule."""
        if pattern in self._rules:
            raise AlreadyRegistered(f"The channels {pattern} have a rule already.")
        self._rules[pattern] = _compile(pattern, allows)

    def readable(self, user: Any, names: Iterable[str]) -> set[str]:
        """The channels among `names` that `user` may subscribe to; unknown ones are not."""
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
        for pattern, captured_names in captures.items():
            readable |= self._rules[pattern].readable(user, captured_names)
        return readable

    def is_declared(self, name: str) -> bool:
        """Whether there is a rule for a channel."""
        return any(rule.regex.fullmatch(name) for rule in self._rules.values())

    def about(self, model: str, pk: object, names: Collection[str]) -> set[str]:
        """The channels among `names` whose right may be to see the object `pk` of `model`."""
        rules = [rule for rule in self._rules.values() if rule.model in (model, None)]
        return set().union(*(rule.about(pk, names) for rule in rules))


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
