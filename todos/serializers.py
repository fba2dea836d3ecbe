"""How lists and items are represented, in REST answers and in events alike."""

from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from rest_framework import serializers

from todos.models import TodoItem, TodoList


class UserSerializer(serializers.ModelSerializer):
    """Whom other users may know by id and name, and by nothing else."""

    class Meta:
        model = get_user_model()
        fields = ("id", "username")
        read_only_fields = fields


class TodoListSerializer(serializers.ModelSerializer):
    """A list. Who creates it owns it; members come and go by their own address."""

    owner = UserSerializer(read_only=True)
    members = serializers.SerializerMethodField()

    class Meta:
        model = TodoList
        fields = ("id", "name", "description", "owner", "members", "created_at", "updated_at")

    def get_members(self, todo_list: TodoList) -> list[dict[str, Any]]:
        """Those it is shared with, in the order in which they joined."""
        users = [membership.user for membership in todo_list.memberships.all()]
        return UserSerializer(users, many=True).data


class VisibleListField(serializers.PrimaryKeyRelatedField):
    """One of the lists that whoever asks may see; any other does not exist."""

    MAX = 2**63 - 1

    def get_queryset(self) -> Any:
        return TodoList.objects.visible_to(self.context["request"].user)

    def to_internal_value(self, data: Any) -> Any:
        # A larger number would overflow the database's column instead of being unknown.
        try:
            too_large = abs(int(data)) > self.MAX
        except (TypeError, ValueError, OverflowError):
            too_large = False
        if too_large:
            self.fail("does_not_exist", pk_value=data)
        return super().to_internal_value(data)


class TodoItemSerializer(serializers.ModelSerializer):
    """An item of a list."""

    todo_list = VisibleListField()

    class Meta:
        model = TodoItem
        fields = ("id", "todo_list", "text", "done", "position", "created_at", "updated_at")
        extra_kwargs: ClassVar[dict[str, Any]] = {
            "position": {"required": False, "min_value": -(2**31), "max_value": 2**31 - 1},
        }


class MemberSerializer(serializers.Serializer):
    """The name of a user to share a list with."""

    username = serializers.SlugRelatedField(
        slug_field="username", queryset=get_user_model()._default_manager.filter(is_active=True)
    )
