"""What makes a REST framework viewset real-time: position on reads, transaction on writes."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.db import transaction
from django.http import HttpResponse
from django.urls import reverse
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response

from realtime import log
from realtime.conf import settings
from realtime.events import MAX_MUTATION_LENGTH, EventId, is_mutation_id
from realtime.publishing import publisher

MUTATION_HEADER = "X-Mutation-ID"


class RealtimeMixin:
    """First base of a viewset.

    Each answer to a read carries, in its ``Link`` header, a stream and the position to open it
    from: whoever does has every change that the body does not show. Each write is one transaction,
    and the events that it causes carry the name which the client gave it by ``X-Mutation-ID``.
    """

    request: Request
    position: EventId

    def stream_channels(self, instance: Any = None) -> Iterable[str]:
        """The channels that tell of all changes to `instance`, or to the list if it is None."""
        raise NotImplementedError(f"{type(self).__name__} must define stream_channels().")

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Runs a write in a transaction, which an error answer rolls back."""
        if request.method in SAFE_METHODS:
            return super().dispatch(request, *args, **kwargs)  # type: ignore[misc,no-any-return]
        name = request.headers.get(MUTATION_HEADER)
        with transaction.atomic(using=log.database()), publisher.mutation(name):
            response: HttpResponse = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
            if getattr(response, "exception", False):
                transaction.set_rollback(True, using=log.database())
        return response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Reads the position before anything else: what the rows show is at least as new."""
        if request.method in SAFE_METHODS:
            self.position = log.head()
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        name = request.headers.get(MUTATION_HEADER)
        if name is not None and not is_mutation_id(name):
            raise ValidationError(
                {MUTATION_HEADER: [f"1 to {MAX_MUTATION_LENGTH} printable ASCII characters."]}
            )

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """As the base class, with the link to the list's stream."""
        response: Response = super().list(request, *args, **kwargs)  # type: ignore[misc]
        return self._linked(response, self.stream_channels())

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """As the base class, with the link to the object's stream."""
        response: Response = super().retrieve(request, *args, **kwargs)  # type: ignore[misc]
        return self._linked(response, self.stream_channels(self._retrieved))

    def get_object(self) -> Any:
        """As the base class; remembered, so that its channels need no second look."""
        self._retrieved = super().get_object()  # type: ignore[misc]
        return self._retrieved

    def _linked(self, response: Response, channels: Iterable[str]) -> Response:
        names = list(dict.fromkeys(channels))
        if 0 < len(names) <= settings.MAX_CHANNELS_PER_STREAM:
            query = urlencode([("channel", name) for name in names])
            url = f"{reverse('realtime:stream')}?{query}"
            response["Link"] = f'<{url}>; rel="stream"; last-event-id="{self.position}"'
        return response
