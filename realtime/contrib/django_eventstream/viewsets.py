"""In place of ``django_eventstream.viewsets``: its browsable pages, on streams of this package."""

from typing import Any

from django.http import HttpResponse
from django_eventstream import viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from realtime.contrib.django_eventstream.views import events


class EventsViewSet(viewsets.EventsViewSet):  # type: ignore[misc]
    """A page for browsers, a stream for who asks for one."""

    def _stream_or_respond(self, channels: list[str], request: Request) -> HttpResponse:
        response: HttpResponse = super()._stream_or_respond(channels, request)
        if isinstance(response, Response):
            return response
        # That was to be a stream; nothing of it has begun.
        answer: HttpResponse = events(request._request, channels=channels)
        return answer.render() if isinstance(answer, Response) else answer


def configure_events_view_set(channels: Any = None, messages_types: Any = None) -> Any:
    """A viewset of certain channels and types of events."""

    class ConfiguredEventsViewSet(EventsViewSet):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(channels, messages_types, *args, **kwargs)

    return ConfiguredEventsViewSet
