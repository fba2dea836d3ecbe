"""The page, the list that it writes to, and the size of its own requests."""

from dataclasses import astuple
from typing import Any

from django.contrib.auth.mixins import LoginRequiredMixin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import TemplateView, View
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from compare.models import Scratch
from compare.sizes import head
from compare.sweeping import sweeper
from realtime.bridge import UPGRADE
from realtime.conf import pusher_app, settings
from realtime.websockets.admission import DECIDED, Admission

WAYS = (
    ("polling", "Polling"),
    ("longpolling", "Long polling"),
    ("sse", "Server-Sent Events"),
    ("websocket", "WebSocket"),
)
"""What is compared, by the names that the page's modules have for it."""
HANDSHAKE = 129
"""Bytes of an answer to a WebSocket's handshake with what RFC 6455 demands, and nothing else."""
MEASURED = 4900
"""The code by which a WebSocket is closed that was opened only to be measured."""


@method_decorator(never_cache, name="dispatch")
class CompareView(LoginRequiredMixin, TemplateView):
    """What does real time cost?"""

    template_name = "compare/compare.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """With the key of Pusher's protocol, and for how long a poll may wait."""
        Scratch.sweep()
        app = pusher_app()
        return super().get_context_data(
            **kwargs,
            key=app.key if app else "",
            wait=max(1, int(settings.MAX_WAIT)),
            ways=WAYS,
            handshake=HANDSHAKE,
            origin=self.request.build_absolute_uri("/").rstrip("/"),
        )


class ScratchView(APIView):
    """Makes lists to measure with."""

    # It belongs to the page, not to the API.
    schema = None

    def post(self, request: Request) -> Response:
        """A list with one item, which is deleted by itself after some minutes."""
        item = Scratch.make(request.user)
        # The page deletes it earlier. What ends this process first is begun anew by the next one.
        sweeper.begin()
        return Response({"todo_list": item.todo_list_id, "item": item.pk}, status=201)


@method_decorator([never_cache, csrf_exempt], name="dispatch")
class RequestView(View):
    """Says how large the head of the very request was that asks, in the form that it can hear: by
    fetch, by an EventSource or by a WebSocket. It changes nothing, and asks nobody who they are."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """The number of bytes."""
        size = head(request.META)
        if request.META.get(UPGRADE):
            admission = astuple(Admission(code=MEASURED, reason=str(size)))
            headers = {DECIDED[0].decode(): DECIDED[1].decode()}
            return JsonResponse(admission, safe=False, headers=headers)
        if "text/event-stream" in request.headers.get("Accept", ""):
            text = f"event: measured\ndata: {size}\n\n"
            return HttpResponse(text, content_type="text/event-stream")
        return JsonResponse({"bytes": size})

    def post(self, request: HttpRequest) -> HttpResponse:
        """Likewise."""
        return self.get(request)
