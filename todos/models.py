"""Todo lists, who shares them, and their items."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Max, Q
from django.utils import timezone


class TimestampedModel(models.Model):
    """Knows when it was created and last changed; a save that changes nothing writes nothing."""

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        abstract = True

    def save(self, **kwargs: Any) -> None:
        """Writes the object if it differs from its row, or has none yet."""
        if not self._state.adding and not kwargs.get("force_insert"):
            names = kwargs.get("update_fields")
            if not self._differs(names, kwargs.get("using") or self._state.db):
                return
            self.updated_at = timezone.now()
            if names is not None:
                kwargs["update_fields"] = {*names, "updated_at"}
        super().save(**kwargs)

    def _differs(self, names: Any, using: str | None) -> bool:
        """Whether the fields to save are not what the row has. That somebody else has written the
        row since, and moved its `updated_at`, is no difference."""
        unread = self.get_deferred_fields()
        columns = [
            field.attname
            for field in self._meta.concrete_fields
            if (names is None or field.name in names or field.attname in names)
            and field.attname not in unread
            and (field.name != "updated_at" or names is not None)
        ]
        if not columns:
            return False
        row = type(self)._base_manager.using(using).filter(pk=self.pk).values(*columns).first()
        return row != {column: getattr(self, column) for column in columns}


class TodoListQuerySet(models.QuerySet["TodoList"]):
    """Lists, as their users see them."""

    def visible_to(self, user: Any) -> "TodoListQuerySet":
        """Those that the user owns or is a member of."""
        shared = Membership.objects.filter(user=user.pk).values("todo_list")
        return self.filter(Q(owner=user.pk) | Q(pk__in=shared))


class TodoList(TimestampedModel):
    """A named list of items. Its owner decides who else may see and edit it."""

    name = models.CharField(max_length=100)
    description = models.TextField(max_length=2000, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="todo_lists"
    )
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="shared_todo_lists", blank=True
    )

    objects = TodoListQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A user with whom a list is shared."""

    todo_list = models.ForeignKey(TodoList, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="todo_list_memberships"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=("todo_list", "user"), name="todos_member_once"),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.todo_list}"


class TodoItemQuerySet(models.QuerySet["TodoItem"]):
    """Items, as their users see them."""

    def visible_to(self, user: Any) -> "TodoItemQuerySet":
        """Those in lists that the user sees."""
        return self.filter(todo_list__in=TodoList.objects.visible_to(user).order_by())


class TodoItem(TimestampedModel):
    """Something to do. Items of a list are in the order of their positions."""

    todo_list = models.ForeignKey(TodoList, on_delete=models.CASCADE, related_name="items")
    text = models.CharField(max_length=500)
    done = models.BooleanField(default=False)
    position = models.IntegerField(
        blank=True, help_text="Items are sorted by it; a new item goes to the end without one."
    )

    objects = TodoItemQuerySet.as_manager()

    STEP = 1024
    """Distance of an item from the one before: room to move others in between."""

    class Meta:
        ordering = ("position", "id")
        indexes = (
            models.Index(fields=("todo_list", "position", "id"), name="todos_item_position"),
        )

    def __str__(self) -> str:
        return self.text

    def save(self, **kwargs: Any) -> None:
        """As any save; an item that has no position goes to the end of its list."""
        if self.position is None:
            last = TodoItem.objects.filter(todo_list=self.todo_list_id).aggregate(n=Max("position"))
            end = 2**31 - 1
            self.position = min((last["n"] or 0) + self.STEP, end)
        super().save(**kwargs)
