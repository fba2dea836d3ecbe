"""Users for administrators."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.logout import log_out_everywhere

User = get_user_model()
admin.site.unregister(User)


@admin.register(User)
class AccountAdmin(UserAdmin):
    """Django's, where users can also be logged out."""

    actions = ("log_out",)

    @admin.action(description="Log out everywhere", permissions=("change",))
    def log_out(self, request: HttpRequest, users: QuerySet[Any]) -> None:
        """Ends all sessions and tokens of the users that were chosen."""
        log_out_everywhere(*users)
        self.message_user(request, "They are logged out everywhere.", messages.SUCCESS)
