"""Entity tags, and the conditions on them that a request may have. Pure.

They are those of RFC 9110, sections 8.8.3 and 13.1. A tag is a digest of the representation as
JavaScript's ``JSON.stringify`` writes it: a client that has the representation, from an event or a
list, knows its tag without asking.
"""

import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from rest_framework.utils.encoders import JSONEncoder

from realtime.exceptions import InvalidCondition

IF_MATCH = "If-Match"
IF_NONE_MATCH = "If-None-Match"

# RFC 9110, section 5.6.1: lists may have empty elements.
_ELEMENT = re.compile(r'[ \t]*(?:((?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|\Z)')
_WEAK = "W/"


def of(representation: Any) -> str:
    """The strong tag of a representation, with its quotes."""
    text = json.dumps(
        representation,
        cls=JSONEncoder,
        ensure_ascii=False,
        allow_nan=False,
        separators=(",", ":"),
    )
    # Lone surrogates, which UTF-8 does not have, are escaped by JSON.stringify too.
    digest = sha256(text.encode("utf-8", "backslashreplace")).digest()
    return f'"{urlsafe_b64encode(digest).decode().rstrip("=")}"'


@dataclass(frozen=True, slots=True)
class Condition:
    """The tags that one header names; None for ``*``, which stands for whatever there is."""

    tags: tuple[str, ...] | None

    @classmethod
    def parse(cls, name: str, header: str) -> Self:
        """Reads a header; raises `InvalidCondition` if it is malformed."""
        if header.strip(" \t") == "*":
            return cls(None)
        tags, position = [], 0
        while position < len(header):
            element = _ELEMENT.match(header, position)
            if element is None:
                break
            tags += [element[1]] if element[1] else []
            position = element.end()
        if position < len(header) or not tags:
            raise InvalidCondition(f'{name} is *, or entity tags like "x", with commas between.')
        return cls(tuple(tags))

    def has(self, tag: str, *, weakly: bool = False) -> bool:
        """Whether an object with this strong tag is meant: RFC 9110, section 8.8.3.2."""
        if self.tags is None:
            return True
        return tag in self.tags or (weakly and _WEAK + tag in self.tags)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request wants to be true of its object, in RFC 9110's order of evaluation."""

    match: Condition | None = None
    none_match: Condition | None = None

    @classmethod
    def of(cls, match: str | None, none_match: str | None) -> Self:
        """Reads the two headers, None where there is none; raises `InvalidCondition`."""
        return cls(
            None if match is None else Condition.parse(IF_MATCH, match),
            None if none_match is None else Condition.parse(IF_NONE_MATCH, none_match),
        )

    def __bool__(self) -> bool:
        return self.match is not None or self.none_match is not None

    def fails(self, tag: str, *, reading: bool) -> bool:
        """Whether nothing may be done to an object with this tag, nor its state be told."""
        if self.match is not None and not self.match.has(tag):
            return True
        return not reading and self.is_known(tag)

    def is_known(self, tag: str) -> bool:
        """Whether the client has said that it has this state already."""
        return self.none_match is not None and self.none_match.has(tag, weakly=True)
