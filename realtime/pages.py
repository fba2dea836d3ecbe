"""The browsable form of a stream: a page that shows it live."""

from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer


class StreamPageRenderer(BrowsableAPIRenderer):
    """Renders what a stream is asked for as a page of the browsable API."""

    template = "realtime/stream.html"
    format = "html"

    def get_default_renderer(self, view: Any) -> Any:
        """The page shows errors as JSON."""
        return next(renderer() for renderer in view.renderer_classes if renderer.format == "json")

    def show_form_for_method(self, *args: Any) -> bool:
        """There is nothing to fill in."""
        return False

    def get_context(self, data: Any, *args: Any) -> dict[str, Any]:
        """As the base class, with the channels and the position to start from."""
        return {**super().get_context(data, *args), "stream": data}
