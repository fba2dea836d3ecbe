"""REST framework's filters, with an order that pages can be cut from."""

from collections.abc import Sequence
from typing import Any

from rest_framework.filters import OrderingFilter
from rest_framework.request import Request


class StableOrderingFilter(OrderingFilter):
    """Orders by what the request asks for, and objects that are equal in that by their key: else
    one could be on two pages, and another on none."""

    def get_ordering(self, request: Request, queryset: Any, view: Any) -> Sequence[str]:
        """As the base class, with the primary key as the last word."""
        ordering = super().get_ordering(request, queryset, view) or ()
        return ordering if {"pk", "id", "-id"} & set(ordering) else (*ordering, "pk")
