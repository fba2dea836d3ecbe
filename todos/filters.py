"""Which items a request asks for."""

from django import forms
from django_filters import rest_framework as filters

from todos.models import TodoItem


class KeyFilter(filters.NumberFilter):
    """A primary key: a whole number that a bigint can hold."""

    field_class = forms.IntegerField


class TodoItemFilter(filters.FilterSet):
    """By list, and by whether it is done."""

    todo_list = KeyFilter(min_value=1, max_value=2**63 - 1)
    done = filters.BooleanFilter()

    class Meta:
        model = TodoItem
        fields = ("todo_list", "done")

    @property
    def todo_list_id(self) -> int | None:
        """The list that is asked for, None for all of them or if the request is not valid."""
        key: int | None = self.form.cleaned_data.get("todo_list") if self.is_valid() else None
        return key
