"""``/metrics`` for people: whoever runs the site and is logged in."""

from typing import Any, NoReturn

from django.conf import settings as django_settings
from django.http import HttpResponse
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.views import APIView

from realtime.conf import settings
from realtime.operations import metrics

_NONE = "There is no REALTIME_METRICS_TOKEN: only staff that is logged in may read this."


class MetricsView(APIView):
    """The figures of all workers, for staff; under DEBUG for everybody. A scraper that has the
    token never comes here: see ``endpoints.py``."""

    throttle_classes = ()
    # It belongs to operations, not to this project's API.
    schema = None

    def get_permissions(self) -> list[BasePermission]:
        return [] if django_settings.DEBUG else [IsAdminUser()]

    def get_authenticate_header(self, request: Request) -> str:
        """What a scraper that has no token, or a wrong one, is asked for."""
        return 'Bearer realm="metrics"'

    def permission_denied(
        self, request: Request, message: Any = None, code: Any = None
    ) -> NoReturn:
        """As the base class; who has come with a token that is none here is told so."""
        if request.headers.get("Authorization", "").lower().startswith("bearer "):
            raise AuthenticationFailed(metrics.WRONG_TOKEN if settings.METRICS_TOKEN else _NONE)
        super().permission_denied(request, message, code)

    def get(self, request: Request) -> HttpResponse:
        """A page in Prometheus' text format, or 501 where it can't be made."""
        status, kind, text = metrics.page()
        return HttpResponse(
            text, status=status, content_type=kind, headers={"Cache-Control": "no-store"}
        )
