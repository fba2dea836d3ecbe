"""REST framework's parsers, made safe for any input."""

from typing import Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError


class JSONParser(parsers.JSONParser):
    """JSON. What is nested deeper than Python can follow is an error of the client's."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """As the base class."""
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error


class MultiPartParser(parsers.MultiPartParser):
    """Multipart forms. A part whose header contradicts itself is an error of the client's."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """As the base class."""
        try:
            return super().parse(*args, **kwargs)
        except TypeError as error:
            # From Python's parser of headers; Django expects a ValueError.
            raise ParseError("Multipart form parse error - malformed header") from error
