"""Who is editing an object, by REST: to say that one does, and to see who else."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework import decorators, serializers
from rest_framework.exceptions import NotAuthenticated, ValidationError
from rest_framework.request import Request, clone_request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, UserRateThrottle

from realtime.conf import settings
from realtime.editing import marks
from realtime.editing.marks import Person
from realtime.exceptions import InvalidTab
from realtime.presence.views import PersonSerializer
from realtime.viewsets import RealtimeMixin


class EditorsSerializer(serializers.Serializer[Any]):
    """Who is editing an object, by its primary key."""

    id = serializers.JSONField(read_only=True)
    editors = PersonSerializer(many=True, read_only=True)


class MarkSerializer(EditorsSerializer):
    """The same, for one of them: it is to go on within so many seconds."""

    expires_in = serializers.FloatField(read_only=True)


class EditingThrottle(UserRateThrottle):
    """How often somebody may say that they are editing; it counts nothing else."""

    scope = "editing"

    def get_rate(self) -> str:
        """By ``REALTIME_EDITING_RATE``."""
        return f"{settings.EDITING_RATE}/min"


class EditingMixin(RealtimeMixin):
    """Base of a viewset of a published model: those who may change an object say that they are
    about to, and all who see it see who does. ``PATCH`` decides on who may."""

    action: str | None
    filter_queryset: Any
    get_queryset: Any
    paginate_queryset: Any
    get_paginated_response: Any

    def get_throttles(self) -> list[BaseThrottle]:
        """As the base class, but for those who say again and again that they are editing."""
        if self.action == "edit":
            return [EditingThrottle()]
        throttles: list[BaseThrottle] = super().get_throttles()  # type: ignore[misc]
        return throttles

    def check_permissions(self, request: Request) -> None:
        """As the base class; to say that one edits takes what changing takes, by which method one
        says it is no matter."""
        if self.action in ("edit", "end_edit"):
            request = clone_request(request, "PATCH")
        super().check_permissions(request)  # type: ignore[misc]

    @decorators.action(detail=False, url_path="editing", serializer_class=EditorsSerializer)
    def edited(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The objects that somebody is editing, and who does."""
        objects = marks.edited(self.filter_queryset(self.get_queryset()))
        page = self.paginate_queryset(objects)
        rows = list(objects if page is None else page)
        found = marks.editors(objects.model, [obj.pk for obj in rows])
        answers = [_answer(obj, found.get(obj.pk, [])) for obj in rows]
        response = Response(answers) if page is None else self.get_paginated_response(answers)
        return self._linked(response, self.stream_channels())

    @decorators.action(detail=True, url_path="editing", serializer_class=EditorsSerializer)
    def editors(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who is editing the object."""
        obj = self.get_object()
        people = marks.editors(type(obj), [obj.pk]).get(obj.pk, [])
        return self._linked(Response(_answer(obj, people)), self.stream_channels(obj))

    @decorators.action(
        detail=True,
        methods=["put"],
        url_path=r"editing/(?P<tab>[^/]+)",
        serializer_class=MarkSerializer,
    )
    def edit(self, request: Request, tab: str, *args: Any, **kwargs: Any) -> Response:
        """Says that you are editing the object in a tab; again, well before that expires, that you
        still do."""
        with self._changing() as obj, _checked():
            people = marks.begin(obj, request.user, tab)
        return Response(_answer(obj, people) | {"expires_in": settings.EDITING_LEASE})

    @edit.mapping.delete
    def end_edit(self, request: Request, tab: str, *args: Any, **kwargs: Any) -> Response:
        """Says that it is over."""
        with self._changing() as obj, _checked():
            marks.end(obj, request.user, tab)
        return Response(status=204)

    @contextmanager
    def _changing(self) -> Iterator[Any]:
        """The object, for somebody who may change it; found as it is for PATCH."""
        request, name = self.request, self.action
        if not request.user.is_authenticated:
            # Where everybody may change things: there is nobody to show.
            raise NotAuthenticated
        self.request, self.action = clone_request(request, "PATCH"), "partial_update"
        try:
            self.check_permissions(self.request)
            obj = self.get_object()
        finally:
            self.request, self.action = request, name
        yield obj


@contextmanager
def _checked() -> Iterator[None]:
    try:
        yield
    except InvalidTab as error:
        raise ValidationError({"tab": [str(error)]}) from error


def _answer(obj: Any, people: list[Person]) -> dict[str, Any]:
    return {"id": obj.pk, "editors": [person.as_dict() for person in people]}
