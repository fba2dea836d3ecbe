"""Lists and items over HTTP. Rights are decided by the user's own rows: others' do not exist."""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from realtime.viewsets import RealtimeMixin
from todos.filters import TodoItemFilter
from todos.models import Membership, TodoItem, TodoList
from todos.permissions import NOT_OWNER, OwnerDeletes
from todos.serializers import MemberSerializer, TodoItemSerializer, TodoListSerializer


class TodoListViewSet(RealtimeMixin, viewsets.ModelViewSet):
    """The lists that you own, and those shared with you."""

    queryset = TodoList.objects.none()
    serializer_class = TodoListSerializer
    permission_classes = (IsAuthenticated, OwnerDeletes)
    lookup_value_regex = r"[0-9]{1,18}"
    search_fields = ("name", "description")
    ordering_fields = ("id", "name", "created_at", "updated_at")
    ordering = ("name", "id")

    def get_queryset(self) -> Any:
        visible = TodoList.objects.visible_to(self.request.user)
        return visible.select_related("owner").prefetch_related("memberships__user")

    def stream_channels(self, instance: Any = None) -> Iterable[str]:
        if instance is None:
            return [f"private-user.{self.request.user.pk}"]
        return [f"private-todo-list.{instance.pk}"]

    def perform_create(self, serializer: BaseSerializer[TodoList]) -> None:
        serializer.save(owner=self.request.user)

    @extend_schema(
        request=MemberSerializer,
        responses={
            200: TodoListSerializer,
            201: TodoListSerializer,
            403: OpenApiResponse(description=NOT_OWNER),
        },
    )
    @action(detail=True, methods=["post"])
    def members(self, request: Request, pk: str) -> Response:
        """Shares the list with a user; only its owner may. Sharing it again changes nothing."""
        todo_list = self.get_object()
        if todo_list.owner_id != request.user.pk:
            raise PermissionDenied(NOT_OWNER)
        form = MemberSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = form.validated_data["username"]
        if user.pk == todo_list.owner_id:
            raise ValidationError({"username": ["The owner is in the list already."]})
        _, created = Membership.objects.get_or_create(todo_list=todo_list, user=user)
        code = status.HTTP_201_CREATED if created else status.HTTP_200_OK
        return Response(self.get_serializer(self.get_queryset().get(pk=pk)).data, status=code)

    @extend_schema(
        request=None,
        responses={204: None, 403: OpenApiResponse(description=NOT_OWNER)},
    )
    @action(detail=True, methods=["delete"], url_path=r"members/(?P<username>[^/]+)")
    def member(self, request: Request, pk: str, username: str) -> Response:
        """Ends a user's membership: the owner anybody's, a member their own."""
        todo_list = self.get_object()
        membership = todo_list.memberships.filter(user__username=username).first()
        if request.user.pk != todo_list.owner_id and username != request.user.get_username():
            raise PermissionDenied(NOT_OWNER)
        if membership is None:
            raise NotFound
        membership.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class TodoItemViewSet(RealtimeMixin, viewsets.ModelViewSet):
    """The items of the lists that you see."""

    queryset = TodoItem.objects.none()
    serializer_class = TodoItemSerializer
    lookup_value_regex = r"[0-9]{1,18}"
    filterset_class = TodoItemFilter
    search_fields = ("text",)
    ordering_fields = ("id", "text", "done", "position", "created_at", "updated_at")
    ordering = ("position", "id")

    def get_queryset(self) -> Any:
        return TodoItem.objects.visible_to(self.request.user)

    def stream_channels(self, instance: Any = None) -> Iterable[str]:
        if instance is not None:
            return [f"private-todo-list.{instance.todo_list_id}"]
        lists = TodoList.objects.visible_to(self.request.user).order_by("pk")
        wanted = self.request.query_params.get("todo_list")
        if wanted:
            lists = lists.filter(pk=wanted)
        names = [f"private-todo-list.{pk}" for pk in lists.values_list("pk", flat=True)]
        # The user's own channel tells of lists that come to be seen.
        return names if wanted and names else [f"private-user.{self.request.user.pk}", *names]
