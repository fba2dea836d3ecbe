"""The event log, to look at."""

from typing import Any

from django.contrib import admin

from realtime.models import Event


@admin.register(Event)
class EventAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read-only: the log is written by what happens, and by nobody."""

    list_display = ("seq", "type", "channel", "mutation", "created_at")
    list_filter = ("type",)
    search_fields = ("channel", "type", "mutation")
    ordering = ("-id",)
    show_full_result_count = False

    def has_add_permission(self, *args: Any) -> bool:
        return False

    def has_change_permission(self, *args: Any) -> bool:
        return False

    def has_delete_permission(self, *args: Any) -> bool:
        return False
