"""Entity tags and preconditions for a viewset's objects: who writes on grounds of what they have
seen changes nothing that they have not seen."""

from typing import Any

from django.db import connections
from rest_framework import status
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from realtime import etags, log
from realtime.etags import IF_MATCH, IF_NONE_MATCH, Conditions
from realtime.exceptions import InvalidCondition
from realtime.viewsets import RealtimeMixin


class PreconditionFailed(APIException):
    """The object is not in the state that the client expected. The answer has the current one."""

    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = "A precondition of this request is not fulfilled. See what is current."
    default_code = "precondition_failed"

    def __init__(self, representation: Any, tag: str) -> None:
        super().__init__()
        self.tag = tag
        # Set here, where the base class would make texts of numbers.
        self.detail = {"detail": self.detail, "current": representation}


class ConditionalMixin(RealtimeMixin):
    """First base of a viewset: as `RealtimeMixin`, with an ``ETag`` on the JSON of an object, and
    ``If-Match`` and ``If-None-Match`` for whoever has one.

    A write's conditions are evaluated in its transaction, with the object's row locked. Rights come
    first, and a field's errors after: RFC 9110, section 13.2.
    """

    conditional_actions: frozenset[str] = frozenset(
        {"retrieve", "update", "partial_update", "destroy"}
    )
    action: str | None
    get_serializer: Any
    _conditions = Conditions()

    def hold(self, instance: Any) -> Any:
        """Locks an object's row; the object as it is then. Override it where `get_object` has
        locked it already."""
        rows = type(instance)._base_manager.using(instance._state.db).filter(pk=instance.pk)
        no_key = connections[rows.db].features.has_select_for_no_key_update
        list(rows.select_for_update(no_key=no_key).values_list("pk"))
        return super().get_object()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As the base class; reads the conditions."""
        headers = request.headers.get(IF_MATCH), request.headers.get(IF_NONE_MATCH)
        wanted = self.action in self.conditional_actions and headers != (None, None)
        if wanted and request.method not in SAFE_METHODS:
            # What is told of the object if it fails is at least as new.
            self.position = log.head()
        super().initial(request, *args, **kwargs)
        if wanted:
            self._conditions = _conditions(*headers)

    def get_object(self) -> Any:
        """As the base class; before a write, evaluates its conditions."""
        instance = super().get_object()
        if not self._conditions or self.request.method in SAFE_METHODS:
            return instance
        instance = self.hold(instance)
        representation = self.get_serializer(instance).data
        tag = etags.of(representation)
        if self._conditions.fails(tag, reading=False):
            raise PreconditionFailed(representation, tag)
        return instance

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """As the base class, if the client doesn't have it already."""
        response = super().retrieve(request, *args, **kwargs)
        if not _is_plain_json(request):
            return response
        tag = etags.of(response.data)
        if self._conditions.fails(tag, reading=True):
            raise PreconditionFailed(response.data, tag)
        if self._conditions.is_known(tag):
            response = self._linked(
                Response(status=status.HTTP_304_NOT_MODIFIED), self.stream_channels(self._retrieved)
            )
        response["ETag"] = tag
        # It is one user's, and may be kept by that user alone; it is asked for again each time.
        response["Cache-Control"] = "private, no-cache"
        return response

    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """As the base class, with the tag of what the object is now. An answer to PUT must not have
        one: RFC 9110, section 9.3.4."""
        response: Response = super().partial_update(request, *args, **kwargs)  # type: ignore[misc]
        if _is_plain_json(request):
            response["ETag"] = etags.of(response.data)
        return response

    def handle_exception(self, exc: Exception) -> Response:
        """As the base class; what is current has its tag, and the link to its stream."""
        response: Response = super().handle_exception(exc)  # type: ignore[misc]
        if isinstance(exc, PreconditionFailed):
            response["ETag"] = exc.tag
            self._linked(response, self.stream_channels(self._retrieved))
        return response


def _conditions(match: str | None, none_match: str | None) -> Conditions:
    try:
        return Conditions.of(match, none_match)
    except InvalidCondition as error:
        raise ValidationError({str(error).partition(" ")[0]: [str(error)]}) from error


def _is_plain_json(request: Request) -> bool:
    """Whether the answer is what its tag is made of: bytes may differ only where tags do."""
    renderer = request.accepted_renderer
    if not isinstance(renderer, JSONRenderer):
        return False
    return renderer.get_indent(request.accepted_media_type, {}) is None
