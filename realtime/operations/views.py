"""``/metrics`` for people: whoever runs the site and is logged in."""

from django.conf import settings as django_settings
from django.http import HttpResponse
from rest_framework.permissions import BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.views import APIView

from realtime.operations import metrics


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

    def get(self, request: Request) -> HttpResponse:
        """A page in Prometheus' text format, or 501 where it can't be made."""
        status, kind, text = metrics.page()
        return HttpResponse(
            text, status=status, content_type=kind, headers={"Cache-Control": "no-store"}
        )
