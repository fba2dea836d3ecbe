"""REST framework's filters, made safe for any input."""

from rest_framework.exceptions import ValidationError
from rest_framework.filters import SearchFilter
from rest_framework.request import Request


class TextSearchFilter(SearchFilter):
    """Searches for text. NUL, which no database can look for, is refused rather than removed."""

    def get_search_terms(self, request: Request) -> list[str]:
        """As the base class."""
        text = request.query_params.get(self.search_param, "")
        if "\x00" in text:
            raise ValidationError({self.search_param: ["Null characters are not allowed."]})
        return super().get_search_terms(request)
