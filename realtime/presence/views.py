"""Who is there, by REST: for those who have no stream, and without being there oneself."""

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.presence import membership
from realtime.viewsets import RealtimeMixin


class PersonSerializer(serializers.Serializer[Any]):
    """Somebody, as others see them."""

    id = serializers.CharField(read_only=True)
    info = serializers.JSONField(read_only=True)


class MembersSerializer(serializers.Serializer[Any]):
    """The members of a channel at a version of it."""

    members = PersonSerializer(many=True, read_only=True)
    version = serializers.IntegerField(read_only=True)


class PresenceMixin(RealtimeMixin):
    """Base of a viewset whose objects have presence channels."""

    get_object: Any

    def presence_channel(self, instance: Any) -> str:
        """The channel of those who are looking at an object."""
        raise NotImplementedError(f"{type(self).__name__} must define presence_channel().")

    @action(detail=True, serializer_class=MembersSerializer, filter_backends=())
    def presence(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who is looking at it. Events from the link's position on tell what changes; those whose
        version is not higher are contained already."""
        channel = self.presence_channel(self.get_object())
        snapshot = membership.snapshot(channel)
        members = [{"id": pk, "info": info} for pk, info in snapshot.members.items()]
        answer = MembersSerializer({"members": members, "version": snapshot.version})
        return self._linked(Response(answer.data), [channel])
