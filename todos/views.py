"""Lists and items over HTTP. Rights are decided by the user's own rows: others' do not exist."""

import re
from collections.abc import Iterable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, PermissionDenied, ValidationError
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from realtime.conditional import ConditionalMixin
from realtime.editing.views import EditingMixin, EditorsSerializer
from realtime.presence.views import PresenceMixin
from todos.filters import TodoItemFilter
from todos.models import Membership, TodoItem, TodoList
from todos.permissions import NOT_OWNER, OwnerDeletes
from todos.serializers import MemberSerializer, TodoItemSerializer, TodoListSerializer

_ID = re.compile("[0-9]{1,18}")

MAX_MEMBERS = 200
"""Of a list: each change of one is told to all of them, with all of their names."""


class LockingViewSet(EditingMixin, ConditionalMixin, viewsets.ModelViewSet):
    """A viewset whose writes hold the row that they are about, from reading it on: of two PATCHes
    at once, the second would else write the fields that it was not sent back to what they were."""

    reads = ("list", "retrieve", "metadata", "presence", "edited", "editors")
    """Actions outside of the mixin's transaction."""

    def get_object(self) -> Any:
        """As the base class, by ids as they are written: Python takes more for a number."""
        if not _ID.fullmatch(self.kwargs["pk"]):
            raise NotFound
        return super().get_object()

    @extend_schema(responses=EditorsSerializer(many=True))
    @action(detail=False, url_path="editing", serializer_class=EditorsSerializer)
    def edited(self, request: Request) -> Response:
        """The objects that somebody is editing, and who does."""
        return super().edited(request)

    def hold(self, instance: Any) -> Any:
        """It is locked already."""
        return instance

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """As the base class, with a lock if this is a write."""
        found = super().filter_queryset(queryset)
        if self.action in self.reads:
            return found
        # Of a row that is to go, nobody may come to point to it: a cascade would miss who does.
        return _locked(found, alone=self.action == "destroy")


class TodoListViewSet(PresenceMixin, LockingViewSet):
    """The lists that you own, and those shared with you."""

    queryset = TodoList.objects.none()
    serializer_class = TodoListSerializer
    permission_classes = (IsAuthenticated, OwnerDeletes)
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

    def presence_channel(self, instance: TodoList) -> str:
        return f"presence-todo-list.{instance.pk}"

    def perform_create(self, serializer: BaseSerializer[TodoList]) -> None:
        serializer.save(owner=self.request.user)

    @extend_schema(
        responses={
            200: TodoListSerializer,
            201: TodoListSerializer,
            403: OpenApiResponse(description=NOT_OWNER),
        },
    )
    @action(detail=True, methods=["post"], serializer_class=MemberSerializer)
    def members(self, request: Request, pk: str) -> Response:
        """Shares the list with a user; only its owner may. Sharing it again changes nothing."""
        todo_list = self.get_object()
        if todo_list.owner_id != request.user.pk:
            raise PermissionDenied(NOT_OWNER)
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        user = form.validated_data["username"]
        if user.pk == todo_list.owner_id:
            raise ValidationError({"username": ["The owner is in the list already."]})
        shared_with = {membership.user_id for membership in todo_list.memberships.all()}
        if user.pk not in shared_with and len(shared_with) >= MAX_MEMBERS:
            raise ValidationError({"username": [f"A list has at most {MAX_MEMBERS} members."]})
        _, created = Membership.objects.get_or_create(todo_list=todo_list, user=user)
        shared = TodoListSerializer(self.get_queryset().get(pk=todo_list.pk))
        code = status.HTTP_201_CREATED if created else status.HTTP_200_OK
        return Response(shared.data, status=code)

    @extend_schema(
        request=None,
        responses={204: None, 403: OpenApiResponse(description=NOT_OWNER)},
    )
    # The characters of Django's usernames: no other name could be looked up.
    @action(detail=True, methods=["delete"], url_path=r"members/(?P<username>[\w.@+-]{1,150})")
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


class TodoItemViewSet(LockingViewSet):
    """The items of the lists that you see."""

    queryset = TodoItem.objects.none()
    serializer_class = TodoItemSerializer
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
        wanted = TodoItemFilter(self.request.query_params, queryset=self.queryset).todo_list_id
        if wanted is not None:
            lists = lists.filter(pk=wanted)
        names = [f"private-todo-list.{pk}" for pk in lists.values_list("pk", flat=True)]
        # The user's own channel tells of lists that come to be seen.
        return names if wanted and names else [f"private-user.{self.request.user.pk}", *names]

    def perform_create(self, serializer: BaseSerializer[TodoItem]) -> None:
        self._hold(serializer.validated_data["todo_list"])
        serializer.save()

    def perform_update(self, serializer: BaseSerializer[TodoItem]) -> None:
        item, target = serializer.instance, serializer.validated_data.get("todo_list")
        # An item's own list must not be held after the item: who deletes it does so the other way.
        if target is not None and item is not None and target.pk != item.todo_list_id:
            self._hold(target)
        serializer.save()

    def _hold(self, todo_list: TodoList) -> None:
        """Keeps a list from being deleted, or closed to this user, until an item is in it."""
        visible = TodoList.objects.visible_to(self.request.user).filter(pk=todo_list.pk)
        if not _locked(visible).exists():
            raise ValidationError({"todo_list": ["This list is gone."]})


def _locked(queryset: QuerySet[Any], *, alone: bool = False) -> QuerySet[Any]:
    # Foreign keys that come to point to the row do not change it: they wait only if it is held
    # `alone`. SQLite, where a transaction has the whole database to itself, ignores this.
    return queryset.select_for_update(of=("self",), no_key=not alone)
