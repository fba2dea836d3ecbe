"""Pages of accounts that Django does not have."""

from typing import Any

from django.contrib.auth.views import LogoutView
from django.http import HttpRequest, HttpResponse

from accounts.logout import log_out_everywhere


class LogoutEverywhereView(LogoutView):
    """As a logout, of all the user's sessions and tokens at once."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Logs out everywhere, here too."""
        if request.user.is_authenticated:
            log_out_everywhere(request.user)
        return super().post(request, *args, **kwargs)
