"""The endpoints at which a connection gets the signatures it subscribes and signs in by.

Pusher's "Authorizing users" and "Authenticating users". Who asks is known by session, token or
password, as at every other endpoint, and may subscribe to what it may read by a stream. The grounds
of each signature are remembered: the subscription ends with them.

There is no CSRF token, since `pusher-js` sends none. By a cookie, only pages of this origin and of
those in ``CORS_ALLOWED_ORIGINS`` may ask; browsers let no others read the answer anyway.
"""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest
from rest_framework.authentication import (
    BaseAuthentication,
    SessionAuthentication,
    TokenAuthentication,
)
from rest_framework.exceptions import NotAuthenticated, NotFound, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime.channels import registry
from realtime.conf import pusher_app
from realtime.events import check_socket_id, dumps
from realtime.exceptions import InvalidChannel, InvalidEvent, NoEncryptionKey
from realtime.names import check_name, is_encrypted, is_presence, is_private
from realtime.origins import is_foreign
from realtime.presence import profiles
from realtime.pusher import encryption
from realtime.renderers import AsciiRenderer
from realtime.rights import authorizations
from realtime.rights.grants import Grant
from realtime.signatures import App

NO_RIGHT = "You may not subscribe to this channel."
"""The same for a channel that does not exist, which is nobody's business either."""


class _SessionAuthentication(SessionAuthentication):
    """By cookie; the origin is checked instead of a CSRF token."""

    def enforce_csrf(self, request: HttpRequest | Request) -> None:
        if is_foreign(getattr(request, "_request", request)):
            raise PermissionDenied("A page of this origin may not ask by cookie.")


class _BearerAuthentication(TokenAuthentication):
    """By token, in the form that Laravel Echo's option ``bearerToken`` sends it in."""

    keyword = "Bearer"


class _AuthView(APIView):
    """What both endpoints have in common."""

    permission_classes = ()
    renderer_classes = (AsciiRenderer,)
    # They belong to Pusher's protocol, not to this project's API.
    schema = None

    def get_authenticators(self) -> list[BaseAuthentication]:
        """The project's own, as Pusher's clients can use them."""
        found: list[BaseAuthentication] = []
        for authenticator in super().get_authenticators():
            by_session = isinstance(authenticator, SessionAuthentication)
            found.append(_SessionAuthentication() if by_session else authenticator)
            if isinstance(authenticator, TokenAuthentication):
                found.append(_BearerAuthentication())
        return found

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Lets only those on who are logged in."""
        super().initial(request, *args, **kwargs)
        app = pusher_app()
        if app is None:
            raise NotFound("No application is configured for Pusher's protocol.")
        if not request.user.is_authenticated:
            raise NotAuthenticated
        self.app: App = app

    def answer(self, request: Request, socket_id: str, auth: str, **more: str) -> Response:
        """The answer with a signature, whose grounds are remembered."""
        authorizations.remember(auth, Grant.of(request), socket_id)
        answer = {"auth": auth, **more}
        return Response(answer, headers={"Cache-Control": "no-store"})


class ChannelAuthView(_AuthView):
    """Signs a subscription to a private or presence channel."""

    def post(self, request: Request) -> Response:
        """The signature, and what else the kind of channel asks for."""
        socket_id = _socket_id(request)
        name = _checked(check_name, _parameter(request, "channel_name"))
        if not is_private(name):
            raise ParseError("This channel is public: nobody has to sign for it.")
        if not registry.readable(request.user, [name]):
            raise PermissionDenied(NO_RIGHT)
        more = {}
        if is_presence(name):
            more["channel_data"] = dumps(profiles.channel_data(request.user))
        if is_encrypted(name):
            more["shared_secret"] = _shared_secret(name)
        auth = self.app.channel_auth(socket_id, name, more.get("channel_data", ""))
        return self.answer(request, socket_id, auth, **more)


class UserAuthView(_AuthView):
    """Signs who a connection belongs to."""

    def post(self, request: Request) -> Response:
        """The signature, and what it says of the user."""
        socket_id = _socket_id(request)
        user_data = dumps(profiles.user_data(request.user))
        auth = self.app.user_auth(socket_id, user_data)
        return self.answer(request, socket_id, auth, user_data=user_data)


def _parameter(request: Request, name: str) -> str:
    data = request.data
    found = data.get(name) if isinstance(data, Mapping) else None
    if not isinstance(found, str):
        raise ParseError(f"There is no {name}.")
    return found


def _socket_id(request: Request) -> str:
    return _checked(check_socket_id, _parameter(request, "socket_id"))


def _checked(check: Callable[[str], str], text: str) -> str:
    try:
        return check(text)
    except (InvalidChannel, InvalidEvent) as error:
        raise ParseError(str(error)) from error


def _shared_secret(channel: str) -> str:
    try:
        return base64.b64encode(encryption.shared_secret(channel)).decode()
    except NoEncryptionKey as error:
        raise ParseError(str(error)) from error
