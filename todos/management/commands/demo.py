"""``manage.py demo``: something to play with."""

from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand
from django.db import transaction

from todos.models import Membership, TodoItem, TodoList

PASSWORD = "realtime"  # noqa: S105 - the demo's, printed for everybody to use
ITEMS = ("Bread", "Milk", "Apples")


class Command(BaseCommand):
    """Creates what is missing of two users and a shared list with items, and under DEBUG of a
    superuser; safe to repeat."""

    help = (
        "Create the users alice and bob (password: realtime) and a list that they share; under"
        " DEBUG also admin (the same password), who may use /admin/."
    )

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        alice, bob = (self._user(name) for name in ("alice", "bob"))
        groceries = TodoList.objects.filter(name="Groceries", owner=alice).order_by("pk").first()
        if groceries is None:
            groceries = TodoList.objects.create(
                name="Groceries", owner=alice, description="For the weekend"
            )
            for text in ITEMS:
                TodoItem.objects.create(todo_list=groceries, text=text)
        Membership.objects.get_or_create(todo_list=groceries, user=bob)
        self.stdout.write(f"Demo logins: alice / {PASSWORD} and bob / {PASSWORD}")
        if settings.DEBUG:
            self._user("admin", is_staff=True, is_superuser=True)
            self.stdout.write(f"Admin (/admin/): admin / {PASSWORD}")
        else:
            self.stderr.write(
                "DEBUG is off: no admin is made, and everybody knows these passwords."
            )

    def _user(self, name: str, **rights: bool) -> Any:
        users = get_user_model()._default_manager
        return users.filter(username=name).first() or users.create_user(
            name, password=PASSWORD, **rights
        )
