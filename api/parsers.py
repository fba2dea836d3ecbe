"""REST framework's parsers, made safe for any input."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class BoundedJSONParser(JSONParser):
    """JSON. What is nested deeper than Python can follow is an error of the client's."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """As the base class."""
        try:
            return super().parse(*args, **kwargs)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
