"""The lists that measurements write to."""

from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from todos.models import TodoItem, TodoList

LIFETIME = timedelta(minutes=5)
"""More than twice the longest measurement."""
AT_ONCE = 3
"""Measurements of one user: who begins another ends the oldest."""


class Scratch(models.Model):
    """An ordinary list with one item, which nobody is meant to keep: the page deletes it at the end
    of its measurement, or when it is closed. What a crash leaves behind is swept."""

    todo_list = models.OneToOneField(TodoList, on_delete=models.CASCADE, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return str(self.todo_list)

    @classmethod
    def make(cls, user: Any) -> TodoItem:
        """A list of the user's own, by its only item."""
        with transaction.atomic():
            own = cls.objects.filter(todo_list__owner=user).order_by("-expires_at")
            _delete(own[AT_ONCE - 1 :])
            todo_list = TodoList.objects.create(
                owner=user,
                name="What does real time cost? (measuring)",
                description="The page /compare/ writes to this list while it measures.",
            )
            cls.objects.create(todo_list=todo_list, expires_at=timezone.now() + LIFETIME)
            return TodoItem.objects.create(todo_list=todo_list, text="Event 0")

    @classmethod
    def sweep(cls, now: datetime | None = None) -> timedelta | None:
        """Deletes what should be gone by now; answers when the last of the others should be."""
        now = now or timezone.now()
        _delete(cls.objects.filter(expires_at__lte=now))
        last = cls.objects.aggregate(last=models.Max("expires_at"))["last"]
        return last - now if last else None


def _delete(scratches: "models.QuerySet[Scratch]") -> None:
    keys = list(scratches.values_list("pk", flat=True))
    if keys:
        TodoList.objects.filter(pk__in=keys).delete()
