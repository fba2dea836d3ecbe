"""How lists and items are represented, in REST answers and in events alike."""

from typing import Any, ClassVar

from django.contrib.auth import get_user_model
from drf_spectacular.utils import extend_schema_field
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

    @extend_schema_field(UserSerializer(many=True))
    def get_members(self, todo_list: TodoList) -> list[dict[str, Any]]:
        """Those it is shared with, in the order in which they joined."""
        users = [membership.user for membership in todo_list.memberships.all()]
        return UserSerializer(users, many=True).data


class VisibleListField(serializers.PrimaryKeyRelatedField):
    """One of the lists that whoever asks may see; any other does not exist."""

    def __init__(self, **kwargs: Any) -> None:
        # A bigint's range: beyond it, databases would fail instead of finding nothing.
        key = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
        super().__init__(pk_field=key, **kwargs)

    def get_queryset(self) -> Any:
        return TodoList.objects.visible_to(self.context["request"].user)

    def to_internal_value(self, data: Any) -> Any:
        # The related field would only convert, not look at the limits.
        return super().to_internal_value(self.pk_field.run_validation(data))


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
    """The name of a user to share a list with; validated, it is the user."""

    username = serializers.CharField(max_length=150)

    def validate_username(self, name: str) -> Any:
        """Looks the user up."""
        user = get_user_model()._default_manager.filter(username=name, is_active=True).first()
        if user is None:
            raise serializers.ValidationError(f"Nobody here is called “{name}”.")
        return user
