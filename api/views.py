"""Views that belong to no application."""

import sys
import threading
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authtoken.views import ObtainAuthToken
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import AnonRateThrottle

API = ("/api/", "/apps/", "/users/", "/pusher/", "/broadcasting/")
"""Where errors are JSON."""


def bad_request(request: HttpRequest, exception: Any) -> HttpResponse:
    """A 400 that no view has answered; in the API it is JSON, as all its errors are."""
    if request.path.startswith(API):
        return JsonResponse({"detail": "Bad request."}, status=400)
    return defaults.bad_request(request, exception)


def not_found(request: HttpRequest, exception: Any) -> HttpResponse:
    """A 404 that no view has answered."""
    if request.path.startswith(API):
        return JsonResponse({"detail": "Not found."}, status=404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """A 500; or a 503 while the database is away, overloaded or locked: then trying again helps."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        detail = "The database can't do that at the moment. Try again."
        return JsonResponse({"detail": detail}, status=503, headers={"Retry-After": "1"})
    if request.path.startswith(API):
        return JsonResponse({"detail": "Server error."}, status=500)
    return defaults.server_error(request)


class SchemaView(SpectacularAPIView):
    """The OpenAPI schema, made by one thread at a time."""

    _making = threading.Lock()

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """As the base class, whose generator loads its extensions when it is first used: a second
        request that came meanwhile would find them half loaded, and fail."""
        with self._making:
            return super().get(request, *args, **kwargs)


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI, for everybody and by GET alone: it can render neither errors nor OPTIONS."""

    authentication_classes = ()
    throttle_classes = ()
    http_method_names = ("get", "head")


class TokenView(ObtainAuthToken):
    """A token for a username and password."""

    # Nobody is logged in here: an old token would be a 401, and a good one no longer anonymous,
    # whose limit is what stands against guessing.
    authentication_classes = ()
    throttle_classes = (AnonRateThrottle,)
    # The base class has REST framework's own, for which deep nesting is no error of the client's.
    parser_classes = api_settings.DEFAULT_PARSER_CLASSES
