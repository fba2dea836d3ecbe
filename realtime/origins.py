"""Where a browser's request comes from."""

from django.http import HttpRequest

from realtime.conf import allowed_origins


def is_foreign(request: HttpRequest) -> bool:
    """Whether a page of another origin sent the request, which may not act for a user by a cookie.

    Browsers name the origin themselves (``Origin``, RFC 6454) wherever there can be a foreign one;
    other clients name none, and have no cookies that they don't mean to send."""
    origin = request.headers.get("Origin")
    if origin is None:
        return False
    own = f"{request.scheme}://{request.get_host()}"
    return origin != own and origin not in allowed_origins()
