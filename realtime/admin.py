"""The event log and the open connections, to look at; connections may be ended."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.html import format_html

from realtime.events import MEMBER_JOINED, MEMBER_LEFT, EventId
from realtime.exceptions import InvalidEventId
from realtime.meters import TRANSPORTS
from realtime.models import Event, Stream
from realtime.operations import ending
from realtime.operations.listing import BoundedPaginator, NamedChangeList, owners
from realtime.publishing.publisher import registry
from realtime.rights.evictions import KICK, REVOKE
from realtime.rights.grants import Grant

_ACTIONS = ("created", "updated", "deleted", "entered", "left")
_OTHERS = (MEMBER_JOINED, MEMBER_LEFT, KICK, REVOKE)
_SHOWN = 100
"""Characters of a column."""
_RECENT = 500
"""Events among which is looked for types that nobody has declared."""


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]
    """What is written by what happens, and by nobody."""

    paginator = BoundedPaginator
    show_full_result_count = False

    class Media:
        css = {"all": ("realtime/admin.css",)}  # noqa: RUF012 - as Django has it

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False


class TypeFilter(admin.SimpleListFilter):
    """The types that are known, and those of the newest events: to look for all would take long."""

    title = "type"
    parameter_name = "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """What this project's publishers and the workers send, then what else is found."""
        names = [f"{publisher.name}.{action}" for publisher in registry for action in _ACTIONS]
        recent = model_admin.model.objects.order_by("-id").values_list("type", flat=True)[:_RECENT]
        found = dict.fromkeys([*names, *_OTHERS, *sorted(set(recent))])
        return [(name, name) for name in found]

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

    list_display = ("listed", "event", "contents")
    fields = readonly_fields = (
        "position",
        "written",
        "type",
        "channel",
        "data_whole",
        "changed",
        "mutation",
        "exclude",
    )
    list_filter = (TypeFilter, NumberedFilter)
    # By what has an index only.
    search_fields = ("channel",)
    search_help_text = "A whole channel name, or an event's id or number"
    ordering = ("-id",)
    list_per_page = 50

    @admin.display(description="id", ordering="id")
    def listed(self, event: Event) -> str:
        """As clients know it, and when it was written."""
        return _two(self.position(event), self.written(event))

    @admin.display(description="id")
    def position(self, event: Event) -> str:
        """As clients know it."""
        return f"{event.seq}-{event.nonce}" if event.seq is not None else "not yet"

    @admin.display(description="written at")
    def written(self, event: Event) -> str:
        """When it was appended, shortly before its commit."""
        return _exact(event.created_at)

    @admin.display(description="event")
    def event(self, event: Event) -> str:
        """Its type, and where it was told."""
        return _two(event.type, event.channel)

    @admin.display(description="data")
    def contents(self, event: Event) -> str:
        """The beginning of its data, and what else there is."""
        more = (
            ("changed", ", ".join(json.loads(event.changed or "[]"))),
            ("mutation", event.mutation),
        )
        return _two(_short(event.data), "; ".join(f"{name}: {text}" for name, text in more if text))

    @admin.display(description="data")
    def data_whole(self, event: Event) -> str:
        """All of it, to be read."""
        text = json.dumps(json.loads(event.data), indent=2, ensure_ascii=False)
        return format_html('<pre class="realtime-data">{}</pre>', text)

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

    list_display = ("user", "channels_shown", "rests_on", "opened")
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
        """A user's name, or an address; and what they speak."""
        return _two(str(getattr(stream, "username", stream.owner)), stream.transport)

    @admin.display(description="channels")
    def channels_shown(self, stream: Stream) -> str:
        """Their names."""
        return _short(", ".join(json.loads(stream.channels or "[]")))

    @admin.display(description="rests on")
    def rests_on(self, stream: Stream) -> str:
        """Kinds of credentials, with a fingerprint: the same for what rests on the same."""
        grants = map(Grant.load, json.loads(stream.grants or "[]"))
        return ", ".join(dict.fromkeys(_grounds(grants))) or "nothing"

    @admin.display(description="since", ordering="opened_at")
    def opened(self, stream: Stream) -> str:
        """When it was opened; and the process and machine that holds it."""
        worker = stream.worker
        return _two(_exact(stream.opened_at), f"by {worker.pid} on {worker.host.split()[0]}")

    @admin.action(permissions=["kick"], description="Kick: end it, it may come back")
    def kick(self, request: HttpRequest, queryset: QuerySet[Stream]) -> None:
        """Ends connections."""
        count = ending.kick(self._noted(request, queryset, "Kicked."))
        messages.success(request, f"{ending.announced(count)}.")

    @admin.action(
        permissions=["revoke"],
        description="Revoke: end its session or token, and all that rests on it",
    )
    def revoke(self, request: HttpRequest, queryset: QuerySet[Stream]) -> None:
        """Ends connections and what they rest on."""
        count, welcome = ending.revoke(self._noted(request, queryset, "Revoked."))
        whose = "its session or token" if count == 1 else "their sessions and tokens"
        messages.success(
            request,
            f"{ending.announced(count)}, with {whose}, and all others that rest on the same.",
        )
        if welcome:
            messages.warning(
                request,
                f"{welcome} of {count} {'rests' if welcome == 1 else 'rest'} on neither, but on a"
                " password or on nothing, and may come back: disable the user, or change the"
                " password.",
            )

    def _noted(self, request: HttpRequest, rows: QuerySet[Stream], text: str) -> list[Stream]:
        """The rows, once it is noted in the admin's history who has done it."""
        streams = list(rows)
        for stream in streams:
            self.log_change(request, stream, text)
        return streams


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _two(first: str, second: str) -> str:
    """Two lines of a column; the second says less."""
    return format_html('{}<span class="second">{}</span>', first, second)


def _exact(moment: datetime) -> str:
    """To the second, in one line."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


def _grounds(grants: Iterator[Grant]) -> Iterator[str]:
    for grant in grants:
        if grant.session:
            yield f"session {_fingerprint(grant.session)}"
        elif grant.token:
            yield f"token {_fingerprint(grant.token)}"
        elif grant.password:
            yield "password"


def _fingerprint(secret: str) -> str:
    """Six digits, the same for the same secret, from which nobody gets back to it."""
    return salted_hmac("realtime.admin", secret).hexdigest()[:6]
