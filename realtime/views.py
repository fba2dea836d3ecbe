"""The stream's view: a short, ordinary request that answers with what to hold.

It authenticates, checks the rights, reads what was missed, and is done. Who holds the connection
then, ``realtime.asgi`` or a proxy, is told by the answer's hold instructions
(``realtime.grip.holds``). Where nobody can hold it, the answer ends after what was missed, and the
EventSource asks again: that is polling, but it loses nothing either.
"""

import re
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import QueryDict
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated, ParseError, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime import meters, polls, refusals, sse, stream
from realtime.bridge import HOLDER
from realtime.channels import registry
from realtime.conf import settings
from realtime.events import dumps
from realtime.exceptions import InvalidChannel
from realtime.grip import feeds, proxies
from realtime.grip.holds import SIGNATURE, Hold
from realtime.hub import jittered
from realtime.names import check_name, is_presence
from realtime.pages import StreamPageRenderer
from realtime.presence import membership, profiles
from realtime.proxied import instructions
from realtime.quotas import About, quota
from realtime.renderers import EventStreamRenderer, PageRenderer
from realtime.rights import tickets
from realtime.rights.grants import Grant
from realtime.worker import Worker

# A URL is kept in logs and histories: what is worth stealing must not be sent in one.
_SECRETS = re.compile(
    r"\w*token|bearer|jwt|auth(orization)?|passw(or)?d|(api_?)?(key|secret)|session_?(id|key)?",
    re.I,
)

NO_RIGHT = "You may not subscribe to all of these channels."
"""The same for a channel that does not exist, which is nobody's business either."""
TOO_MANY = "You have too many streams open."


class StreamView(APIView):
    """Changes on a set of channels, from a position on, as Server-Sent Events.

    As ``application/json``: what there is to read now, or as soon as there is something, if the
    client would wait (``Prefer: wait=…``, RFC 7240); as ``text/html``: a page that shows it live.
    """

    permission_classes = ()
    # Limited by how many may be open; a throttled EventSource would stay away for good.
    throttle_classes = ()
    renderer_classes = (EventStreamRenderer, PageRenderer, StreamPageRenderer)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Reads the query before anything else does: authentication looks for a ticket in it."""
        # Without it, no form could be negotiated for an error.
        self.format_kwarg = self.get_format_suffix(**kwargs)
        query = query_of(request)
        self.channels = _channels(query)
        self.last_event_id = request.headers.get("Last-Event-ID") or _last_event_id(query)
        if not self.channels and not self._is_page(request):
            raise ParseError("Name at least one channel: ?channel=…")
        super().initial(request, *args, **kwargs)

    def get(self, request: Request) -> Response:
        """Opens the stream."""
        channels = self.channels
        if not channels:
            return Response({"channels": [], "last_event_id": ""})
        holder = holder_of(request)
        opening = self._open(request, holder)
        if request.accepted_renderer.format == "html":
            return Response({"channels": channels, "last_event_id": str(opening.upto)})
        if request.accepted_renderer.format == "json":
            return self._poll(request, opening, channels, holder)
        if self.last_event_id and not opening.reset:
            meters.count(meters.RESUMED.slot("sse"))
        if _is_proxied(request):
            return self._proxied(request, opening, channels)
        return self._stream(request, opening, channels, holder)

    def _is_page(self, request: Request) -> bool:
        """Whether it is asked as a page, on which channels are yet to be chosen."""
        renderer, _ = self.perform_content_negotiation(request, force=True)
        return request.method in ("GET", "HEAD") and renderer.format == StreamPageRenderer.format

    def get_authenticators(self) -> list[BaseAuthentication]:
        """The project's own, and tickets."""
        return [*super().get_authenticators(), tickets.TicketAuthentication()]

    def handle_exception(self, exc: Exception) -> Response:
        """While the database is away, sends an EventSource away until later: any other status than
        200 would end it for good."""
        refusals.count(exc)
        if isinstance(exc, OperationalError | InterfaceError) and _is_stream(self.request):
            return Response(sse.retry(jittered(settings.RETRY)))
        answer: Response = super().handle_exception(exc)
        return answer

    def finalize_response(self, *args: Any, **kwargs: Any) -> Response:
        """Keeps caches and compressing proxies off every answer."""
        answer: Response = super().finalize_response(*args, **kwargs)
        answer["Cache-Control"] = "no-cache, no-transform"
        return answer

    def _open(self, request: Request, holder: Worker | None = None) -> stream.Opening:
        channels = self.channels
        opening = stream.opening(self.last_event_id, channels, holder.hub if holder else None)
        # After the position was read: a right that ends from here on is an event to come.
        if registry.readable(request.user, channels) != set(channels):
            raise PermissionDenied(NO_RIGHT) if request.user.is_authenticated else NotAuthenticated
        return opening

    def _stream(
        self, request: Request, opening: stream.Opening, channels: list[str], holder: Worker | None
    ) -> Response:
        if holder is None:
            return _start(opening, channels, {}, listing=True)
        member = _member(request, channels)
        return _start(opening, channels, _held(request, opening, channels, holder, member=member))

    def _poll(
        self, request: Request, opening: stream.Opening, channels: list[str], holder: Worker | None
    ) -> Response:
        text = polls.page(opening.upto, map(polls.encode, opening.events), channels, opening.reset)
        headers = {}
        if holder is not None:
            wait = min(polls.wait(request.headers.get("Prefer", "")), settings.MAX_WAIT)
            # Without it, a client knows that it has to make pauses.
            headers = {"Preference-Applied": f"wait={wait:g}"}
            if not opening.events and not opening.reset:
                headers |= _held(request, opening, channels, holder, wait=wait)
        return Response(text, headers=headers)

    def _proxied(self, request: Request, opening: stream.Opening, channels: list[str]) -> Response:
        grant = Grant.of(request)
        feed = feeds.register(grant, channels, quota(grant))
        if feed is None:
            raise Throttled(detail=TOO_MANY)
        if feed.new:
            opening = self._open(request)
        return _start(opening, channels, instructions(feed, opening), listing=True)


class TicketView(APIView):
    """One-use tickets that open a stream, for an EventSource of another origin."""

    def post(self, request: Request) -> Response:
        """A ticket for whoever asks, valid once and for half a minute: ``?ticket=…``."""
        if not request.user.is_authenticated:
            raise NotAuthenticated
        ticket = tickets.issue(Grant.of(request))
        return Response(
            {"ticket": ticket, "expires_in": settings.TICKET_MAX_AGE},
            status=201,
            headers={"Cache-Control": "no-store"},
        )


def _held(
    request: Request,
    opening: stream.Opening,
    channels: list[str],
    holder: Worker,
    **options: Any,
) -> dict[str, str]:
    """The instructions by which this process holds a stream, or a poll; counts it. Takes more of
    what `Hold` does."""
    grant = Grant.of(request)
    about = About.of("poll" if options.get("wait") else "sse", channels, [grant])
    slot = holder.slots.quotas.take(grant.owner, quota(grant), about)
    if slot is None:
        raise Throttled(detail=TOO_MANY)
    position, granted = opening.upto, grant.dump()
    hold = Hold(tuple(channels), position, settings.KEEP_ALIVE, granted, slot, **options)
    return hold.headers()


def _member(request: Request, channels: list[str]) -> str:
    """Whom the stream makes a member, if it does."""
    if not any(map(is_presence, channels)):
        return ""
    data = profiles.channel_data(request.user)
    return dumps([data["user_id"], data["user_info"]])


def _start(
    opening: stream.Opening,
    channels: list[str],
    instructions: dict[str, str],
    *,
    listing: bool = False,
) -> Response:
    """The answer by which a stream begins; `listing` the members of its presence channels, unless
    who holds it does so."""
    start = [sse.stream_open(opening.position, jittered(settings.RETRY))]
    if opening.reset:
        start.append(sse.stream_reset(opening.upto, channels, opening.reset))
    start += [sse.encode(event) for event in opening.events]
    if listing:
        start += [sse.encode(event) for event in membership.lists(channels)]
    return Response(b"".join(start), headers={"X-Accel-Buffering": "no", **instructions})


def _is_stream(request: Request) -> bool:
    renderer = request.accepted_renderer
    return request.method == "GET" and renderer.format == EventStreamRenderer.format


def _waits(request: Request) -> bool:
    renderer = request.accepted_renderer
    waits = polls.wait(request.headers.get("Prefer", "")) > 0
    return request.method == "GET" and renderer.format == PageRenderer.format and waits


def _is_proxied(request: Request) -> bool:
    return _is_stream(request) and proxies.signed(request.headers.get(SIGNATURE))


def holder_of(request: Request) -> Worker | None:
    """Who will hold the stream, or the poll, if it is one to be held, and not by a proxy."""
    if not _is_stream(request) and not _waits(request):
        return None
    holder: Worker | None = request._request.META.get(HOLDER)
    return holder


def query_of(request: Request) -> QueryDict:
    """A request's query; raises `ParseError` if it is malformed, or has credentials in it."""
    try:
        query = request.query_params
        request._request.META["QUERY_STRING"].encode("ascii")
        for name, values in query.lists():
            if any("�" in text or "\x00" in text for text in (name, *values)):
                raise ParseError("The query is not UTF-8 text.")
            if _SECRETS.fullmatch(name):
                raise ParseError(
                    f"{name}: credentials don't belong into a URL. Send an Authorization header,"
                    " or get a ticket."
                )
    except (SuspiciousOperation, UnicodeError) as error:
        raise ParseError("The query is malformed.") from error
    return query


def _channels(query: QueryDict) -> list[str]:
    channels = list(dict.fromkeys(query.getlist("channel")))
    if len(channels) > settings.MAX_CHANNELS_PER_STREAM:
        raise ParseError(
            f"A stream has at most {settings.MAX_CHANNELS_PER_STREAM} channels;"
            f" these are {len(channels)}."
        )
    try:
        return [check_name(channel) for channel in channels]
    except InvalidChannel as error:
        raise ParseError(str(error)) from error


def _last_event_id(query: QueryDict) -> str:
    ids = query.getlist("lastEventId")
    if len(ids) > 1:
        raise ParseError("lastEventId may be given once.")
    return ids[0] if ids else ""
