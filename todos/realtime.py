"""Which channels lists and items reach, and who may subscribe to them."""

from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from django.db.models import QuerySet

import realtime
from todos.models import TodoItem, TodoList
from todos.serializers import TodoItemSerializer, TodoListSerializer


@realtime.register(TodoList)
class TodoListPublisher(realtime.ModelPublisher):
    """A list is seen on its own channel, and on those of its owner and its members."""

    serializer_class = TodoListSerializer
    follows: ClassVar[dict[str, str]] = {"todos.Membership": "todo_list"}
    timestamps = ("updated_at",)

    def channels(self, todo_list: TodoList) -> Iterable[str]:
        users = [todo_list.owner_id, *(m.user_id for m in todo_list.memberships.all())]
        return [f"private-todo-list.{todo_list.pk}", *(f"private-user.{pk}" for pk in users)]

    def get_queryset(self) -> QuerySet[TodoList]:
        queryset = super().get_queryset()
        return queryset.select_related("owner").prefetch_related("memberships__user")


@realtime.register(TodoItem)
class TodoItemPublisher(realtime.ModelPublisher):
    """An item is seen on its list's channel."""

    serializer_class = TodoItemSerializer
    timestamps = ("updated_at",)

    def channels(self, item: TodoItem) -> Iterable[str]:
        return [f"private-todo-list.{item.todo_list_id}"]


@realtime.channel("private-todo-list.<int:pk>", "presence-todo-list.<int:pk>")
def visible_lists(user: Any) -> QuerySet[TodoList]:
    """A list's channels are for those who see the list."""
    return TodoList.objects.visible_to(user)


@realtime.channel("private-user.<int:pk>")
def oneself(user: Any) -> QuerySet[Any]:
    """A user's channel is for that user alone."""
    return get_user_model()._default_manager.filter(pk=user.pk, is_active=True)
