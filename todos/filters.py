"""Which items a request asks for."""

from typing import Any

from django import forms
from django_filters import rest_framework as filters
from django_filters.widgets import BooleanWidget

from todos.models import TodoItem


class KeyFilter(filters.NumberFilter):
    """A primary key: a whole number that a bigint can hold."""

    field_class = forms.IntegerField


class TruthWidget(BooleanWidget):
    """Keeps what it does not know, for the field to refuse."""

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Any:
        value = super().value_from_datadict(data, files, name)
        return data.get(name) if value is None else value


class TruthField(forms.NullBooleanField):
    """True, false, or nothing; anything else is not taken for nothing."""

    def to_python(self, value: Any) -> bool | None:
        if value is not None and value != "" and not isinstance(value, bool):
            raise forms.ValidationError("This must be true or false.")
        return super().to_python(value)


class TruthFilter(filters.BooleanFilter):
    """``true`` or ``1``, ``false`` or ``0``, in letters of any case."""

    field_class = TruthField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, widget=TruthWidget, **kwargs)


class TodoItemFilter(filters.FilterSet):
    """By list, and by whether it is done."""

    todo_list = KeyFilter(min_value=1, max_value=2**63 - 1)
    done = TruthFilter()

    class Meta:
        model = TodoItem
        fields = ("todo_list", "done")

    @property
    def todo_list_id(self) -> int | None:
        """The list that is asked for, None for all of them or if the request is not valid."""
        key: int | None = self.form.cleaned_data.get("todo_list") if self.is_valid() else None
        return key
