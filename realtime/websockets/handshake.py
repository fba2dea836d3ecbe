"""The view of a WebSocket's handshake: a short, ordinary request that decides whether to go on.

Who holds the connection then is told by the answer (``realtime.websockets.admission.Admission``).
It asks who somebody is only to count their connections: what they may hear is decided for each
subscription.
"""

from contextlib import suppress
from dataclasses import astuple
from typing import Any

from django.conf import settings as django_settings
from rest_framework.exceptions import APIException, ParseError, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime import refusals
from realtime.bridge import UPGRADE
from realtime.conf import pusher_app
from realtime.origins import is_foreign
from realtime.pusher import codes
from realtime.quotas import About, quota
from realtime.renderers import AsciiRenderer
from realtime.rights.grants import Grant
from realtime.views import query_of
from realtime.websockets.admission import DECIDED, Admission
from realtime.worker import Worker


class UpgradeRequired(APIException):
    """Somebody wants to read what can only be talked to."""

    status_code = 426
    default_detail = "This is a WebSocket, which speaks Pusher's protocol: connect to it by ws://"


class HandshakeView(APIView):
    """``/app/KEY?protocol=7``, where Pusher's clients connect."""

    permission_classes = ()
    # Limited by how many may be open.
    throttle_classes = ()
    renderer_classes = (AsciiRenderer,)
    # It belongs to Pusher's protocol, not to this project's API.
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Turns away who can't be talked to."""
        if not request._request.META.get(UPGRADE):
            raise UpgradeRequired
        self.refusal = ""
        try:
            self.query = query_of(request)
        except ParseError as error:
            # By a code: clients learn nothing from a handshake that is refused.
            self.refusal = str(error.detail)
        super().initial(request, *args, **kwargs)

    def perform_authentication(self, request: Request) -> None:
        """Bad credentials are none: then connections are counted by address."""
        with suppress(APIException):
            super().perform_authentication(request)

    def get(self, request: Request, key: str) -> Response:
        """Lets somebody in, or says by which code to send them away."""
        if django_settings.SESSION_COOKIE_NAME in request.COOKIES and is_foreign(request._request):
            raise PermissionDenied("A page of this origin may not connect with this cookie.")
        app = pusher_app()
        if app is None or key != app.key:
            return _sent_away(codes.NO_APP, "There is no application of this key.")
        if self.refusal:
            return _sent_away(codes.BAD_VERSION, self.refusal)
        if refusal := _version(self.query.get("protocol", "")):
            return _sent_away(*refusal)
        holder: Worker = request._request.META[UPGRADE]
        grant = Grant.of(request)
        about = About.of("websocket", (), ())
        slot = holder.slots.quotas.take(grant.owner, quota(grant), about)
        if slot is None:
            return _sent_away(codes.QUOTA, "You have too many connections open.")
        return _answer(Admission(slot))

    def handle_exception(self, exc: Exception) -> Response:
        """As the base class."""
        refusals.count(exc)
        return super().handle_exception(exc)

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """Names what to upgrade to, as RFC 9110 wants."""
        answer: Response = super().finalize_response(*args, **kwargs)
        if answer.status_code == UpgradeRequired.status_code:
            answer["Upgrade"] = "websocket"
        return answer


def _version(text: str) -> tuple[int, str] | None:
    if not text:
        return codes.NO_VERSION, f"Name the protocol: ?protocol={codes.VERSION}"
    if not (text.isascii() and text.isdigit()):
        return codes.BAD_VERSION, "The protocol's version is not a number."
    if text.lstrip("0") != str(codes.VERSION):
        return codes.UNSUPPORTED_VERSION, f"Only version {codes.VERSION} is spoken here."
    return None


def _sent_away(code: int, reason: str) -> Response:
    refusals.count_code(code)
    return _answer(Admission(code=code, reason=reason))


def _answer(admission: Admission) -> Response:
    return Response(astuple(admission), headers={DECIDED[0].decode(): DECIDED[1].decode()})
