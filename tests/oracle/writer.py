"""Writes at random, in every way that Django knows: ``python -m tests.oracle.writer SEED``.

Most of it is committed; the rest is rolled back, wholly or to a savepoint. It goes on until its
input ends, whatever happens to the database, and tells what it has done (``tests.oracle.telling``).
"""

import os
import random
import sys
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "api.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.exceptions import ObjectDoesNotExist  # noqa: E402
from django.db import (  # noqa: E402
    DatabaseError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)

from tests.oracle import telling  # noqa: E402
from todos.models import Membership, TodoItem, TodoList  # noqa: E402

MAX_LISTS = 14
MAX_ITEMS = 250
PAUSE = 0.1
"""Seconds until the next attempt after one that the database did not take."""


class RollBack(Exception):
    """Undoes what was written before it."""


class Writer:
    """A source of random writes; the same seed writes the same."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.users = list(User.objects.order_by("pk"))
        self.count = 0

    def advance(self) -> int:
        """A step; how many mutations it has made, of which it is known what became of them."""
        self.count = 0
        try:
            self.step()
        except (OperationalError, InterfaceError):
            # The database is away, or has chosen this writer to end a deadlock. If it was the
            # commit that failed, nobody can tell what became of it.
            connections.close_all()
            time.sleep(PAUSE)
            return 0
        except (DatabaseError, ObjectDoesNotExist):
            # Another writer has deleted what this one had just read.
            return 0
        return self.count

    def step(self) -> None:
        """A write by itself, or a transaction."""
        choice = self.random.random()
        if choice < 0.6:
            self.write()
        elif choice < 0.75:
            with transaction.atomic():
                self.several()
        elif choice < 0.9:
            self.rolled_back()
        else:
            with transaction.atomic():
                self.write()
                self.rolled_back()
                self.write()

    def several(self) -> None:
        """A few writes."""
        for _ in range(self.random.randint(1, 4)):
            self.write()

    def rolled_back(self) -> None:
        """Writes that never were; a savepoint's, if there is a transaction around it."""
        try:
            with transaction.atomic():
                self.several()
                raise RollBack
        except RollBack:
            pass

    def write(self) -> None:
        """One write, of a kind that happens to be chosen."""
        self.count += 1
        kinds = (
            [self.add] * 6 + [self.edit] * 8 + [self.toggle] * 4 + [self.move] * 3
            + [self.delete] * 3 + [self.bulk_create, self.bulk_update, self.update] * 2
            + [self.delete_some, self.share, self.share, self.unshare, self.add_list]
            + [self.rename_list, self.give_away]
        )  # fmt: skip
        if self.random.random() < 0.01:
            self.delete_list()
        else:
            self.random.choice(kinds)()

    def text(self) -> str:
        """Something new."""
        return f"{self.random.randrange(10**9)} äöü \u2028 'quoted' \"twice\""

    def lists(self) -> list[TodoList]:
        """All lists; at least one."""
        lists = list(TodoList.objects.all())
        return lists or [self.add_list()]

    def items(self, most: int) -> list[TodoItem]:
        """Some items, in no order."""
        pks = list(TodoItem.objects.values_list("pk", flat=True))
        chosen = self.random.sample(pks, min(most, len(pks)))
        return list(TodoItem.objects.filter(pk__in=chosen))

    def add(self) -> None:
        if TodoItem.objects.count() >= MAX_ITEMS:
            self.delete_some()
        chosen = self.random.choice(self.lists())
        TodoItem.objects.create(todo_list=chosen, text=self.text())

    def edit(self) -> None:
        for item in self.items(1):
            item.text = self.text()
            item.save()

    def toggle(self) -> None:
        for item in self.items(1):
            item.done = not item.done
            item.save(update_fields=["done"])

    def move(self) -> None:
        for item in self.items(1):
            item.todo_list = self.random.choice(self.lists())
            item.position = self.random.randrange(1000)
            item.save()

    def delete(self) -> None:
        for item in self.items(1):
            item.delete()

    def bulk_create(self) -> None:
        chosen = self.random.choice(self.lists())
        TodoItem.objects.bulk_create(
            TodoItem(todo_list=chosen, text=self.text(), position=n) for n in range(3)
        )

    def bulk_update(self) -> None:
        items = self.items(4)
        for item in items:
            item.text, item.done = self.text(), not item.done
        TodoItem.objects.bulk_update(items, ["text", "done"])

    def update(self) -> None:
        pks = [item.pk for item in self.items(6)]
        rows = TodoItem.objects.filter(pk__in=pks)
        if self.random.random() < 0.5:
            rows.update(done=True)
        else:
            rows.update(todo_list=self.random.choice(self.lists()))

    def delete_some(self) -> None:
        TodoItem.objects.filter(pk__in=[item.pk for item in self.items(9)]).delete()

    def add_list(self) -> TodoList:
        while TodoList.objects.count() >= MAX_LISTS:
            self.delete_list()
        owner = self.random.choice(self.users)
        return TodoList.objects.create(name=self.text()[:90], owner=owner)

    def delete_list(self) -> None:
        chosen = TodoList.objects.order_by("?").first()
        if chosen is not None:
            chosen.delete()

    def rename_list(self) -> None:
        chosen = self.random.choice(self.lists())
        chosen.name = self.text()[:90]
        chosen.save()

    def give_away(self) -> None:
        chosen = self.random.choice(self.lists())
        chosen.owner = self.random.choice(self.users)
        chosen.memberships.filter(user=chosen.owner).delete()
        chosen.save()

    def share(self) -> None:
        chosen = self.random.choice(self.lists())
        user = self.random.choice(self.users)
        if user.pk != chosen.owner_id:
            chosen.members.add(user)

    def unshare(self) -> None:
        membership = Membership.objects.order_by("?").first()
        if membership is None:
            return
        if self.random.random() < 0.5:
            membership.delete()
        else:
            membership.todo_list.members.remove(membership.user)


if __name__ == "__main__":
    telling.until_told(Writer(int(sys.argv[1])).advance)
