"""Streams at django-eventstream's kinds of addresses, held as all streams of this package are."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpResponse, HttpResponseBadRequest
from django_eventstream.eventrequest import EventRequest
from django_eventstream.utils import add_default_headers, sse_error_response
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.views import APIView

from realtime import log, stream
from realtime.channels import registry
from realtime.conf import settings
from realtime.contrib.django_eventstream import dialect
from realtime.contrib.django_eventstream.numbers import position
from realtime.events import Event
from realtime.exceptions import InvalidChannel, InvalidEventId, PositionLost
from realtime.grip.holds import Hold
from realtime.hub import Hub, jittered
from realtime.names import check_name
from realtime.quotas import About, quota
from realtime.renderers import EventStreamRenderer
from realtime.rights.grants import Grant
from realtime.stream import Opening
from realtime.views import TOO_MANY, StreamView, holder_of, query_of

# Of the links by which django-eventstream has a proxy ask for more; none is ever given out here.
_INTERNAL = ("es-meta", "link", "recover")

Beginning = tuple[Opening, dialect.Floors]


class EventsView(StreamView):
    """A stream whose channels are given by the route or the query, as the channel manager says."""

    renderer_classes = (EventStreamRenderer,)  # type: ignore[assignment]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """As of any view; what is asked for is read later."""
        query_of(request)
        APIView.initial(self, request, *args, **kwargs)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """It is a stream, whatever is accepted."""
        return super().perform_content_negotiation(request, force=True)

    def get_authenticators(self) -> list[BaseAuthentication]:
        """The session, whose user is who a Django view knows; the project's own, and tickets."""
        return [SessionAuthentication(), *super().get_authenticators()]

    def get(self, request: Request, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Opens the stream."""
        # Authentication is lazy, and the channel manager is shown Django's own request.
        request.user  # noqa: B018
        response = self._respond(request, kwargs)
        add_default_headers(response, request=request._request)
        return response

    def _respond(self, request: Request, kwargs: Mapping[str, Any]) -> HttpResponse:
        try:
            wanted = _wanted(request, kwargs)
            channels = sorted(check_name(name) for name in wanted.channels)
        except EventRequest.ResumeNotAllowedError as error:
            return HttpResponseBadRequest(f"Invalid request: {error}.\n")
        except (EventRequest.Error, InvalidChannel) as error:
            return _error("bad-request", f"Invalid request: {error}.")
        holder = holder_of(request)
        last_ids = wanted.channel_last_ids
        floors: dialect.Floors
        if _comes_back(request) and not last_ids:
            opening, floors = (
                stream.reset("unknown-id"),
                {},
            )  # Of channels that it has not any more.
        else:
            opening, floors = _opening(last_ids, channels, holder.hub if holder else None)
        # After the position was read: a right that ends from here on is an event to come.
        gone = sorted(set(channels) - registry.readable(request.user, channels))
        if gone:
            return _error("forbidden", dialect.denied(gone), {"channels": gone})
        headers = {}
        if holder is not None:
            grant = Grant.of(request)
            about = About.of("sse", channels, [grant])
            slot = holder.slots.quotas.take(grant.owner, quota(grant), about)
            if slot is None:
                raise Throttled(detail=TOO_MANY)
            keep_alive, form = settings.KEEP_ALIVE, dialect.FORM
            hold = Hold(tuple(channels), opening.upto, keep_alive, grant.dump(), slot, form=form)
            headers = hold.headers()
        body = _start(opening, floors, channels)
        return HttpResponse(body, content_type="text/event-stream", headers=headers)


def _wanted(request: Request, kwargs: Mapping[str, Any]) -> Any:
    for name in _INTERNAL:
        if name in request.query_params:
            raise EventRequest.Error(f"{name} is not for clients")
    most = settings.MAX_CHANNELS_PER_STREAM
    return EventRequest(request._request, channel_limit=most, view_kwargs=kwargs)


def _comes_back(request: Request) -> bool:
    ids = request.query_params.getlist("lastEventId")
    return any((request.headers.get("Last-Event-ID"), *ids))


def _error(condition: str, text: str, extra: Any = None) -> HttpResponse:
    answer: HttpResponse = sse_error_response(condition, text, extra)
    return answer


def _opening(last_ids: Mapping[str, str], channels: list[str], hub: Hub | None) -> Beginning:
    """Where the stream begins. Ids were given for each channel, perhaps at different moments; what
    has none is as far as the newest, for an id may name one channel and stand for all."""
    if not last_ids:
        return stream.opening("", channels), {}
    try:
        known = {name: position(int(text)) for name, text in last_ids.items()}
        first, last = min(known.values()), max(known.values())
        if first == last:
            return stream.opening(str(first), channels, hub), {}
        log.check(last)
    except (ValueError, InvalidEventId):
        return stream.reset("unknown-id"), {}
    except PositionLost as lost:
        return stream.reset(lost.reason), {}
    floors = {name: known.get(name, last) for name in channels}
    opening = stream.opening(str(first), channels)
    events: list[Event] = []
    while not opening.reset:
        events += [e for e in opening.events if e.position > floors[e.channel]]
        if opening.complete or opening.upto >= last:
            return replace(opening, position=first, events=events), floors
        opening = stream.opening(str(opening.upto), channels)
    return opening, {}


def _start(opening: Opening, floors: dialect.Floors, channels: list[str]) -> bytes:
    start = [dialect.stream_open(opening.position, channels, floors, jittered(settings.RETRY))]
    if opening.reset:
        start.append(dialect.stream_reset(opening.upto, channels))
    return b"".join(start + [dialect.replayed(e, channels, floors) for e in opening.events])


events = EventsView.as_view()
"""In place of ``django_eventstream.views.events``."""
