"""The streams in the OpenAPI schema; ``realtime`` itself does not depend on drf-spectacular."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiViewExtension
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    inline_serializer,
)
from rest_framework import serializers

CHANNELS = OpenApiParameter(
    "channel",
    {"type": "array", "items": {"type": "string", "pattern": "^[-a-zA-Z0-9_=@,.;]{1,164}$"}},
    required=True,
    description="A channel to read; repeat it for more, up to 100.",
)
LAST_EVENT_ID = "Where to go on: the id of the last event that was seen. Without it, from now on."

PREFER = "`wait=25`: a JSON page is kept back until there is something, for so many seconds."


class TicketScheme(OpenApiAuthenticationExtension):
    """A one-use ticket in the query."""

    target_class = "realtime.rights.tickets.TicketAuthentication"
    name = "ticketAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """As OpenAPI wants it."""
        return {"type": "apiKey", "in": "query", "name": "ticket"}


class StreamSchema(OpenApiViewExtension):
    """The stream of events."""

    target_class = "realtime.views.StreamView"

    def view_replacement(self) -> Any:
        """The view with its answers described."""
        page = inline_serializer(
            "EventPage",
            {
                "last_event_id": serializers.CharField(),
                "reset": serializers.DictField(allow_null=True),
                "events": serializers.ListField(child=serializers.DictField()),
            },
        )
        stream = {"type": "string", "description": "Server-Sent Events, without an end."}

        class Described(self.target_class):  # type: ignore[name-defined,misc]
            @extend_schema(
                parameters=[
                    CHANNELS,
                    OpenApiParameter("Last-Event-ID", str, "header", description=LAST_EVENT_ID),
                    OpenApiParameter("lastEventId", str, description=LAST_EVENT_ID),
                    OpenApiParameter("Prefer", str, "header", description=PREFER),
                ],
                responses={
                    (200, "text/event-stream"): OpenApiResponse(stream),
                    (200, "application/json"): page,
                    403: OpenApiResponse(description="No right to all of these channels."),
                    404: OpenApiResponse(description="No such format."),
                    406: OpenApiResponse(description="Neither event-stream, html nor json."),
                },
            )
            def get(self, request: Any) -> Any:
                """Changes on a set of channels, from a position on."""
                return super().get(request)

        return Described


class TicketSchema(OpenApiViewExtension):
    """The tickets."""

    target_class = "realtime.views.TicketView"

    def view_replacement(self) -> Any:
        """The view with its answer described."""
        ticket = inline_serializer(
            "Ticket",
            {"ticket": serializers.CharField(), "expires_in": serializers.FloatField()},
        )

        class Described(self.target_class):  # type: ignore[name-defined,misc]
            @extend_schema(request=None, responses={201: ticket})
            def post(self, request: Any) -> Any:
                """A ticket that opens a stream once, within half a minute."""
                return super().post(request)

        return Described
