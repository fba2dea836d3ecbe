"""The three forms in which the position of a set of channels can be asked for."""

from typing import Any

from rest_framework.renderers import BaseRenderer, JSONRenderer


class AsciiRenderer(JSONRenderer):
    """JSON in ASCII: what clients have sent may have lone surrogates, which UTF-8 can't carry."""

    ensure_ascii = True


class PageRenderer(AsciiRenderer):
    """JSON that the view has encoded already, so that events' data is as it was, to the digit."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> Any:
        if isinstance(data, bytes):
            return data
        return super().render(data, accepted_media_type, renderer_context)


class EventStreamRenderer(BaseRenderer):
    """Bytes that the view has encoded already; errors become JSON, as EventSource reads neither."""

    media_type = "text/event-stream"
    format = "event-stream"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> Any:
        if isinstance(data, bytes):
            return data
        if renderer_context:
            renderer_context["response"]["Content-Type"] = "application/json"
        return AsciiRenderer().render(data)
