"""The kinds of writes of random transactions. Each takes the machine that makes these, which marks
what it writes, and two numbers by which rows are chosen."""

from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError
from django.db.models import F

import realtime
from todos.models import Membership, TodoItem, TodoList

LISTS, ITEMS = 4, 12
"""At most."""
NOTES = "notes"
"""Channel of events that are no model's."""


def add(machine: Any, n: int, m: int) -> None:
    for chosen in machine.lists(n)[: ITEMS - TodoItem.objects.count()]:
        TodoItem.objects.create(todo_list=chosen, text=machine.mark())


def edit(machine: Any, n: int, m: int) -> None:
    for item in machine.items(n):
        item.text = machine.mark()
        item.save()


def edit_stale(machine: Any, n: int, m: int) -> None:
    """An instance from before somebody else's write, of one field."""
    for item in machine.items(n):
        TodoItem.objects.filter(pk=item.pk).update(done=not item.done)
        item.text = machine.mark()
        item.save(update_fields=["text"])


def edit_twice(machine: Any, n: int, m: int) -> None:
    """And back: the second undoes the first."""
    for item in machine.items(n):
        before, item.text = item.text, machine.mark()
        item.save()
        item.text = before
        item.save()


def count_up(machine: Any, n: int, m: int) -> None:
    TodoItem.objects.filter(pk__in=[item.pk for item in machine.items(n, 3)]).update(
        position=F("position") + m
    )


def count_up_one(machine: Any, n: int, m: int) -> None:
    for item in machine.items(n):
        item.position = F("position") + 1
        item.text = machine.mark()
        item.save()


def move(machine: Any, n: int, m: int) -> None:
    for item in machine.items(n):
        for item.todo_list in machine.lists(m):
            item.save()


def move_some(machine: Any, n: int, m: int) -> None:
    rows = TodoItem.objects.filter(pk__in=[item.pk for item in machine.items(n, 4)])
    for chosen in machine.lists(m):
        rows.update(todo_list=chosen)


def delete(machine: Any, n: int, m: int) -> None:
    for item in machine.items(n):
        item.delete()


def delete_some(machine: Any, n: int, m: int) -> None:
    TodoItem.objects.filter(pk__in=[item.pk for item in machine.items(n, 4)]).delete()


def bulk_create(machine: Any, n: int, m: int) -> None:
    for chosen in machine.lists(n)[: ITEMS - TodoItem.objects.count()]:
        TodoItem.objects.bulk_create(
            TodoItem(todo_list=chosen, text=machine.mark(), position=m) for _ in range(1 + m % 3)
        )


def bulk_update(machine: Any, n: int, m: int) -> None:
    items = machine.items(n, 4)
    for item in items:
        item.text, item.done = machine.mark(), not item.done
    TodoItem.objects.bulk_update(items, ["text", "done"])


def upsert(machine: Any, n: int, m: int) -> None:
    """In bulk: one is there already, another may be too."""
    for item in machine.items(n):
        known, new = machine.mark(), machine.mark()
        # PostgreSQL refuses to be told the same row twice.
        others = [pk for pk in range(10**9, 10**9 + 4) if pk != item.pk]
        TodoItem.objects.bulk_create(
            [
                TodoItem(id=item.pk, todo_list_id=item.todo_list_id, text=known, position=1),
                TodoItem(todo_list_id=item.todo_list_id, text=new, position=2, id=others[m % 3]),
            ],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["text"],
        )


def get_or_create(machine: Any, n: int, m: int) -> None:
    for chosen in machine.lists(n)[: ITEMS - TodoItem.objects.count()]:
        wanted = {"todo_list": chosen, "position": m % 3, "done": True}
        if TodoItem.objects.filter(**wanted).count() < 2:
            TodoItem.objects.get_or_create(**wanted, defaults={"text": machine.mark()})


def update_or_create(machine: Any, n: int, m: int) -> None:
    for chosen in machine.lists(n):
        name = f"list {m % 3}"
        if TodoList.objects.filter(name=name).count() < 2:
            TodoList.objects.update_or_create(
                name=name, defaults={"description": machine.mark(), "owner_id": chosen.owner_id}
            )


def add_list(machine: Any, n: int, m: int) -> None:
    for owner in machine.users(n)[: max(0, LISTS - TodoList.objects.count())]:
        made = TodoList.objects.create(name=machine.mark(), owner=owner)
        made.items.create(text=machine.mark())


def rename_list(machine: Any, n: int, m: int) -> None:
    for chosen in machine.lists(n):
        chosen.name = machine.mark()
        chosen.save()


def give_away(machine: Any, n: int, m: int) -> None:
    for chosen in machine.lists(n):
        for chosen.owner in machine.users(m):
            chosen.memberships.filter(user=chosen.owner).delete()
            chosen.save()


def delete_list(machine: Any, n: int, m: int) -> None:
    """With its items and memberships, by itself or by a queryset."""
    for chosen in machine.lists(n):
        if m % 2:
            chosen.delete()
        else:
            TodoList.objects.filter(pk=chosen.pk).delete()


def share(machine: Any, n: int, m: int) -> None:
    """From either side, by either model."""
    for chosen in machine.lists(n):
        for user in machine.users(m):
            if user.pk == chosen.owner_id:
                continue
            if m % 4 == 0:
                chosen.members.add(user)
            elif m % 4 == 1:
                user.shared_todo_lists.add(chosen)
            elif m % 4 == 2:
                Membership.objects.get_or_create(todo_list=chosen, user=user)
            else:
                Membership.objects.bulk_create(
                    [Membership(todo_list=chosen, user=user)], ignore_conflicts=True
                )


def unshare(machine: Any, n: int, m: int) -> None:
    for chosen in machine.lists(n):
        for user in machine.users(m):
            if m % 4 == 0:
                chosen.members.remove(user)
            elif m % 4 == 1:
                user.shared_todo_lists.clear()
            elif m % 4 == 2:
                chosen.members.set(
                    User.objects.exclude(pk__in=[chosen.owner_id, user.pk]).order_by("pk")
                )
            else:
                Membership.objects.filter(user=user).delete()


def share_twice(machine: Any, n: int, m: int) -> None:
    """The second time is refused, and takes the block along."""
    for membership in Membership.objects.order_by("pk")[:1]:
        twice = Membership(todo_list_id=membership.todo_list_id, user_id=membership.user_id)
        machine.enter(m % 2 == 0)
        try:
            if m % 3:
                twice.save()
            else:
                Membership.objects.bulk_create([twice])
        except IntegrityError as error:
            machine.close(error)
        else:
            raise AssertionError("A user is in a list twice")


def delete_user(machine: Any, n: int, m: int) -> None:
    """With their lists, and out of those of others; somebody else comes."""
    for user in machine.users(n):
        user.delete()
    User.objects.create(username=machine.mark())


def tell(machine: Any, n: int, m: int) -> None:
    """An event that is no model's."""
    text = machine.mark()
    realtime.trigger(NOTES, "note", text)
    machine.notes[-1].append(text)


KINDS = (
    add, edit, edit_stale, edit_twice, count_up, count_up_one, move, move_some, delete, delete_some,
    bulk_create, bulk_update, upsert, get_or_create, update_or_create, add_list, rename_list,
    give_away, delete_list, share, unshare, share_twice, delete_user, tell,
)  # fmt: skip
