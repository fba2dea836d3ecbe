"""How long answers are cut into pages."""

from rest_framework.pagination import LimitOffsetPagination


class Pagination(LimitOffsetPagination):
    """By ``limit`` and ``offset``."""

    default_limit = 100
    max_limit = 1000
