"""The todo page. It has no data of its own: its script reads and writes through the API."""

from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import TemplateView

from realtime.conf import pusher_app

STYLES = (
    "layout",
    "sidebar",
    "sheet",
    "items",
    "waiting",
    "controls",
    "people",
    "dialogs",
    "unsent",
    "inspector",
    "toasts",
)
"""The todo page's style sheets, each for one part of it."""


# After a logout, the browser's back button must not show it from a cache.
@method_decorator(never_cache, name="dispatch")
class TodosView(LoginRequiredMixin, TemplateView):
    """Lists on the left, the items of one list on the right."""

    template_name = "frontend/todos.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the key of Pusher's protocol, if the project has an application."""
        app = pusher_app()
        styles = [f"frontend/styles/{name}.css" for name in STYLES]
        return super().get_context_data(**kwargs, key=app.key if app else "", styles=styles)
