"""The event log and the open connections, to look at; connections may be ended."""

import json
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from realtime.events import EventId
from realtime.exceptions import InvalidEventId
from realtime.meters import TRANSPORTS
from realtime.models import Event, Stream
from realtime.operations import ending
from realtime.operations.listing import BoundedPaginator, NamedChangeList, owners
from realtime.publisher import registry

_ACTIONS = ("created", "updated", "deleted", "entered", "left")
_SHOWN = 60
"""Characters of a column."""


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """What is written by what happens, and by nobody."""

    paginator = BoundedPaginator
    show_full_result_count = False

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False


class TypeFilter(admin.SimpleListFilter):
    """The types of published models' events: to look for all that there are would take long."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those that this project's publishers send."""
        names = [f"{publisher.name}.{action}" for publisher in registry for action in _ACTIONS]
        return [(name, name) for name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events of one type."""
        return queryset.filter(type=self.value()) if self.value() else queryset


class NumberedFilter(admin.SimpleListFilter):
    """Whether an event has its number."""

    title = "number"
    parameter_name = "numbered"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What waits for its number does so for a moment; if not, something is wrong."""
        return [("no", "waits for its number")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        """The events that wait, if they are asked for."""
        return queryset.filter(seq=None) if self.value() == "no" else queryset


@admin.register(Event)
class EventAdmin(_ReadOnly):
    """The newest events first."""

    list_display = (
        "position",
        "type",
        "channel",
        "data_shown",
        "changed",
        "mutation",
        "created_at",
    )
    list_filter = (TypeFilter, NumberedFilter)
    # By what has an index only.
    search_fields = ("channel",)
    search_help_text = "A whole channel name, or an event's id or number"
    ordering = ("-id",)
    list_per_page = 50

    @admin.display(description="id", ordering="id")
    def position(self, event: Event) -> str:
        """As clients know it."""
        return f"{event.seq}-{event.nonce}" if event.seq is not None else ""

    @admin.display(description="data")
    def data_shown(self, event: Event) -> str:
        """Its beginning."""
        return _short(event.data)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Exact matches, which an index finds among millions."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(seq=EventId.parse(term).seq), False
        except InvalidEventId:
            number = int(term) if term.isascii() and term.isdigit() and len(term) < 19 else None
        return queryset.filter(
            Q(channel=term) | Q(seq=number) if number else Q(channel=term)
        ), False


class TransportFilter(admin.SimpleListFilter):
    """By what a connection speaks."""

    title = "transport"
    parameter_name = "transport"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """All of them."""
        return [(name, name) for name in TRANSPORTS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Stream]) -> QuerySet[Stream]:
        """The connections of one transport."""
        return queryset.filter(transport=self.value()) if self.value() else queryset


@admin.register(Stream)
class ConnectionAdmin(_ReadOnly):
    """Who is connected, to whichever worker."""

    list_display = ("user", "transport", "channels_shown", "opened_at", "worker_shown")
    list_display_links = None
    list_filter = (TransportFilter,)
    list_select_related = ("worker",)
    search_fields = ("channels",)
    search_help_text = "A username, an address or a whole channel name"
    ordering = ("-opened_at",)
    actions = ("kick", "revoke")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Stream]:
        """Without what a worker has left behind that has died."""
        return super().get_queryset(request).filter(worker__lost=False)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Stream], search_term: str
    ) -> tuple[QuerySet[Stream], bool]:
        """Exact matches."""
        term = search_term.strip()
        if not term:
            return queryset, False
        named = Q(owner__in=owners(term)) | Q(channels__contains=json.dumps(term))
        return queryset.filter(named), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[NamedChangeList]:
        """A list that knows the users' names."""
        return NamedChangeList

    def has_view_permission(self, request: HttpRequest, obj: Stream | None = None) -> bool:
        """The list alone: what a connection rests on is a secret."""
        return obj is None and super().has_view_permission(request)

    def has_kick_permission(self, request: HttpRequest) -> bool:
        """Who may end connections."""
        return request.user.has_perm("realtime.kick_stream")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may end what connections rest on."""
        return request.user.has_perm("realtime.revoke_stream")

    @admin.display(ordering="owner")
    def user(self, stream: Stream) -> str:
        """A user's name, or an address."""
        return str(getattr(stream, "username", stream.owner))

    @admin.display(description="channels")
    def channels_shown(self, stream: Stream) -> str:
        """Their names."""
        return _short(", ".join(json.loads(stream.channels or "[]")))

    @admin.display(description="worker", ordering="worker")
    def worker_shown(self, stream: Stream) -> str:
        """Process and machine."""
        return f"{stream.worker.pid} on {stream.worker.host.split()[0]}"

    @admin.action(permissions=["kick"], description="Kick: end it, it may come back")
    def kick(self, request: HttpRequest, queryset: QuerySet[Stream]) -> None:
        """Ends connections."""
        count = ending.kick(self._noted(request, queryset, "Kicked."))
        messages.success(request, f"{count} connections end now.")

    @admin.action(permissions=["revoke"], description="Revoke: end it, and its session or token")
    def revoke(self, request: HttpRequest, queryset: QuerySet[Stream]) -> None:
        """Ends connections and what they rest on."""
        count, welcome = ending.revoke(self._noted(request, queryset, "Revoked."))
        messages.success(request, f"{count} connections end now, with their sessions and tokens.")
        if welcome:
            messages.warning(
                request,
                f"{welcome} of them rest on neither, but on a password or on nothing, and may come"
                " back: disable the user, or change the password.",
            )

    def _noted(self, request: HttpRequest, rows: QuerySet[Stream], text: str) -> list[Stream]:
        """The rows, once it is noted in the admin's history who has done it."""
        streams = list(rows)
        for stream in streams:
            self.log_change(request, stream, text)
        return streams


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
