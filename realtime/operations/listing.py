"""Lists in the admin that stay quick, however long their tables are."""

from typing import Any, cast

from django.contrib.admin.views.main import ChangeList
from django.contrib.auth import get_user_model
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

MOST = 10_000
"""Rows that a list counts and shows; more are found by filters and search."""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts no further than it has to: a count of millions of rows takes seconds."""

    @cached_property
    def count(self) -> int:
        """How many rows there are, at most `MOST`."""
        rows = cast("QuerySet[Any]", self.object_list)
        return rows.order_by()[:MOST].count()


class NamedChangeList(ChangeList):
    """A list of connections that knows the names of their users, by one question."""

    def get_results(self, request: HttpRequest) -> None:
        """As the base class; gives each row a `username`."""
        super().get_results(request)
        rows: Any = list(self.result_list)
        names = usernames(row.owner for row in rows)
        for row in rows:
            row.username = names.get(row.owner, row.owner)
        self.result_list = rows


def usernames(owners: Any) -> dict[str, str]:
    """The names of the users among owners of connections, by these."""
    keys = {owner.removeprefix("user ") for owner in owners if owner.startswith("user ")}
    users = get_user_model()._default_manager.filter(pk__in=keys)
    return {f"user {user.pk}": user.get_username() for user in users}


def owners(name: str) -> list[str]:
    """What connections of a user of this name, or from this address, are counted by."""
    model = get_user_model()
    users = model._default_manager.filter(**{model.USERNAME_FIELD: name})
    return [f"address {name}", *(f"user {user.pk}" for user in users)]
