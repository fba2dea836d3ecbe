"""What must hold for each request, whichever view it is for."""

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware import common

from api.views import API, not_found

_PAGE, _JSON = "text/html", "application/json"
_SAFE = ("GET", "HEAD", "OPTIONS")

Answer = Callable[[HttpRequest], HttpResponse]


class CleanCookiesMiddleware:
    """Refuses a cookie with a NUL, which quoted ones can have: it is nobody's session, and
    PostgreSQL would fail to look it up instead of not finding it."""

    def __init__(self, get_response: Answer) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if any("\0" in value for value in request.COOKIES.values()):
            detail = "Null characters are not allowed in cookies."
            return JsonResponse({"detail": detail}, status=400)
        return self._get_response(request)


class CommonMiddleware(common.CommonMiddleware):
    """Django's, which redirects to the address with a slash; but a redirected write would lose its
    body (under DEBUG, Django raises an error instead), so there it is a 404."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        """Only where following the redirect has the same effect."""
        return request.method in _SAFE and super().should_redirect_with_slash(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """As the base class; but a 304 has the length of what it stands for, or none. Under DEBUG,
        Django's page about an address that there is not is for browsers."""
        if _is_debugged(request, response) and not _prefers_pages(request):
            response = not_found(request, None)
        answer = super().process_response(request, response)
        if answer.status_code == HTTPStatus.NOT_MODIFIED:
            del answer.headers["Content-Length"]
        return answer


def _is_debugged(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether this is Django's own page where the API would have answered by JSON."""
    missed = response.status_code == HTTPStatus.NOT_FOUND and request.resolver_match is None
    return settings.DEBUG and missed and request.path.startswith(API)


def _prefers_pages(request: HttpRequest) -> bool:
    return request.get_preferred_type([_JSON, _PAGE]) == _PAGE
