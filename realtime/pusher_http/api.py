"""The HTTP API by which an application's servers send events and ask who is there.

Pusher's "HTTP API reference", so that its server libraries work unchanged: requests are signed,
answers are JSON, errors are those of REST framework. What is sent is logged as any other event; who
reads by Server-Sent Events gets it too, and resumes over it.
"""

from typing import Any, cast

from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime import state, triggers
from realtime.exceptions import InvalidBody, InvalidChannel, InvalidEvent, TooMuchData
from realtime.names import check_name
from realtime.pusher_http import bodies
from realtime.pusher_http.signed import SignatureAuthentication, TooLarge
from realtime.renderers import AsciiRenderer
from realtime.rights import revocation


class _SignedView(APIView):
    """A view for those who have the application's secret."""

    authentication_classes = (SignatureAuthentication,)
    permission_classes = ()
    # The project's own servers, not the public, are behind these.
    throttle_classes = ()
    renderer_classes = (AsciiRenderer,)
    # They belong to Pusher's protocol, not to this project's API.
    schema = None

    def handle_exception(self, exc: Exception) -> Response:
        """As the base class; knows what may be wrong with a request."""
        if isinstance(exc, TooMuchData):
            exc = TooLarge(str(exc))
        elif isinstance(exc, (InvalidBody, InvalidChannel, InvalidEvent)):
            exc = ParseError(str(exc))
        return super().handle_exception(exc)

    def parameter(self, request: Request, name: str) -> str:
        """A parameter of the query, empty if there is none."""
        return cast("dict[str, str]", request.auth).get(name, "")

    def info(self, request: Request) -> frozenset[str]:
        """The attributes of channels that the query asks for."""
        return bodies.attributes(self.parameter(request, "info"))


class EventsView(_SignedView):
    """``POST /apps/ID/events``: one event, to one channel or more."""

    def post(self, request: Request, **kwargs: str) -> Response:
        """Sends it to all of the channels, or to none."""
        trigger = bodies.trigger(bodies.read(request._request.body))
        state.check(trigger.channels, trigger.info)
        triggers.send(trigger.events)
        if not trigger.info:
            return Response({})
        return Response({"channels": state.attributes(trigger.channels, trigger.info)})


class BatchView(_SignedView):
    """``POST /apps/ID/batch_events``: several events, each to one channel."""

    def post(self, request: Request, **kwargs: str) -> Response:
        """Sends all of them, or none."""
        batch = bodies.batch(bodies.read(request._request.body))
        for trigger in batch:
            state.check(trigger.channels, trigger.info)
        triggers.send(event for trigger in batch for event in trigger.events)
        if not any(trigger.info for trigger in batch):
            return Response({})
        return Response({"batch": [_attributes(trigger) for trigger in batch]})


class ChannelsView(_SignedView):
    """``GET /apps/ID/channels``: the channels that somebody is subscribed to."""

    def get(self, request: Request, **kwargs: str) -> Response:
        """Those whose names begin with ``filter_by_prefix``."""
        prefix = self.parameter(request, "filter_by_prefix")
        if prefix:
            check_name(prefix)
        return Response({"channels": state.occupied(prefix, self.info(request))})


class ChannelView(_SignedView):
    """``GET /apps/ID/channels/C``: what is known of one channel."""

    def get(self, request: Request, channel: str, **kwargs: str) -> Response:
        """Whether somebody is subscribed to it, and the attributes that are asked for."""
        return Response(state.channel(check_name(channel), self.info(request)))


class UsersView(_SignedView):
    """``GET /apps/ID/channels/C/users``: the members of a presence channel."""

    def get(self, request: Request, channel: str, **kwargs: str) -> Response:
        """Their ids."""
        return Response({"users": [{"id": pk} for pk in state.users(check_name(channel))]})


class TerminateView(_SignedView):
    """``POST /apps/ID/users/U/terminate_connections``."""

    def post(self, request: Request, user_id: str, **kwargs: str) -> Response:
        """Ends every connection that has signed in as the user."""
        revocation.terminate(user_id)
        return Response({})


def _attributes(trigger: bodies.Trigger) -> dict[str, Any]:
    if not trigger.info:
        return {}
    (channel,) = trigger.channels
    return state.attributes([channel], trigger.info)[channel]
