"""Random transactions, nested and failing: ``python -m tests.oracle.rollbacks COUNT``.

After each outermost one the log's new events must turn what there was into what there is, each
fitting the one before, and none may show anything of what was rolled back.
"""

import json
import os
import re
import sys
from collections import Counter, defaultdict
from typing import Any

import django
import hypothesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.db.models import F, QuerySet
from django.db.models.signals import post_save

import realtime
from realtime import log
from tests.oracle.ledger import Channels, Ledger, expected
from todos.models import Membership, TodoItem, TodoList

MARK = re.compile(r"mark \d+\.")
USERS, LISTS, ITEMS = 3, 4, 12
NOTES = "notes"
ROUND = 500
"""Sequences that Hypothesis makes at once; it slows down when it has to remember many."""

NUMBERS = st.integers(0, 99)
"""By which a row is chosen, from as many as there happen to be."""

done: Counter[str] = Counter()
"""Sequences, transactions, rollbacks and events."""


class Failure(Exception):
    """Ends a block."""


class Transactions(RuleBasedStateMachine):
    """Writes in blocks. What is written carries marks; a block that is rolled back takes its marks
    along, and they must never be seen again."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[transaction.Atomic] = []
        self.marks: list[set[str]] = [set()]
        """Those of each open block, and before them those that count."""
        self.notes: list[list[str]] = [[]]
        self.never: set[str] = set()

    @initialize()
    def start(self) -> None:
        """A few users, lists and items, and nothing else."""
        done["sequences"] += 1
        _clear()
        users = User.objects.bulk_create(User(username=f"user {n}") for n in range(USERS))
        lists = [TodoList(name=f"list {n}", owner=users[n]) for n in range(2)]
        # By plain querysets, which publish nothing.
        QuerySet(TodoList).bulk_create(lists)
        QuerySet(Membership).bulk_create([Membership(todo_list=lists[0], user=users[2])])
        QuerySet(TodoItem).bulk_create(
            TodoItem(todo_list=lists[n % 2], text=f"item {n}", position=n) for n in range(5)
        )
        self.position = log.head()
        self.ledger = Ledger(_shown())

    # Blocks

    @precondition(lambda self: len(self.blocks) < 4 and not self.is_doomed())
    @rule(savepoint=st.booleans())
    def enter(self, savepoint: bool) -> None:
        """Begins a block; without a savepoint, its failure is that of the one around it."""
        self.blocks.append(transaction.atomic(savepoint=savepoint))
        self.blocks[-1].__enter__()
        self.marks.append(set())
        self.notes.append([])

    @precondition(lambda self: self.blocks)
    @rule(fails=st.sampled_from([False, False, True]))
    def leave(self, fails: bool) -> None:
        """Ends a block, well or not."""
        lost = fails or self.is_doomed()
        failure = Failure() if fails else None
        self.blocks.pop().__exit__(type(failure) if failure else None, failure, None)
        marks, notes = self.marks.pop(), self.notes.pop()
        if lost:
            done["rollbacks"] += 1
            self.never |= marks
        else:
            self.marks[-1] |= marks
            self.notes[-1] += notes
        self.settle(lost=lost)

    @precondition(lambda self: self.blocks and not self.is_doomed())
    @rule()
    def doom(self) -> None:
        """Has the block rolled back without an exception."""
        transaction.set_rollback(True)

    def is_doomed(self) -> bool:
        """Whether nothing more can be done in this block than leave it."""
        return bool(self.blocks) and connection.needs_rollback

    # Writes

    @precondition(lambda self: not self.is_doomed())
    @rule(kind=st.sampled_from(range(24)), n=NUMBERS, m=NUMBERS, fails=st.sampled_from(range(8)))
    def write(self, kind: int, n: int, m: int, fails: int) -> None:
        """One write of any kind, which sometimes fails at its end, or ends in a failing block."""
        known = set(self.marks[-1])
        if fails == 1:
            self.in_failing_block(kind, n, m)
        elif fails == 2:
            self.broken_off(kind, n, m)
        else:
            KINDS[kind](self, n, m)
        done["writes"] += bool(self.marks[-1] - known)
        self.settle()

    def in_failing_block(self, kind: int, n: int, m: int) -> None:
        self.enter(True)
        KINDS[kind](self, n, m)
        if self.is_doomed():
            return
        self.blocks.pop().__exit__(Failure, Failure(), None)
        self.never |= self.marks.pop()
        self.notes.pop()

    def broken_off(self, kind: int, n: int, m: int) -> None:
        """Somebody's receiver raises after the row was written."""

        def fail(**kwargs: Any) -> None:
            raise Failure

        self.enter(True)
        post_save.connect(fail, dispatch_uid="fail")
        failure: Failure | None = None
        try:
            KINDS[kind](self, n, m)
        except Failure as error:
            failure = error
        finally:
            post_save.disconnect(dispatch_uid="fail")
        lost = failure is not None or self.is_doomed()
        self.blocks.pop().__exit__(type(failure) if failure else None, failure, None)
        marks, notes = self.marks.pop(), self.notes.pop()
        if lost:
            self.never |= marks
        else:
            self.marks[-1] |= marks
            self.notes[-1] += notes

    def mark(self) -> str:
        """A text that is used once."""
        done["marks"] += 1
        self.marks[-1].add(text := f"mark {done['marks']}.")
        return text

    @staticmethod
    def lists(n: int) -> list[TodoList]:
        """One list, if there is any."""
        found = list(TodoList.objects.order_by("pk"))
        return found[n % len(found) :][:1] if found else []

    @staticmethod
    def items(n: int, most: int = 1) -> list[TodoItem]:
        """Some items, if there are any."""
        found = list(TodoItem.objects.order_by("pk"))
        return found[n % len(found) :][:most] if found else []

    @staticmethod
    def users(n: int) -> list[User]:
        """One user, if there is any."""
        found = list(User.objects.order_by("pk"))
        return found[n % len(found) :][:1] if found else []

    # The verdict

    def settle(self, *, lost: bool = False) -> None:
        """Holds the log against the database, if nothing is open. `lost` says that all was rolled
        back: then there is no need to look at the database, which is what it was."""
        if self.blocks:
            return
        done["transactions"] += 1
        _number_all()
        page = log.read_after(self.position)
        assert page.complete
        numbers = [event.position.seq for event in page.events]
        first = self.position.seq + 1
        assert numbers == list(range(first, first + len(numbers)))
        self.position = page.upto
        done["events"] += len(numbers)
        notes = []
        for event in page.events:
            assert not self.never.intersection(MARK.findall(event.data)), event
            if event.channel == NOTES:
                notes.append(json.loads(event.data))
            else:
                self.ledger.enter(event.type, event.channel, event.data, event.changed)
        assert notes == self.notes[0]
        self.notes[0] = []
        if page.events or not lost:
            assert self.ledger.state() == _shown()

    def teardown(self) -> None:
        while self.blocks:
            self.leave(False)


def _clear() -> None:
    with connection.cursor() as cursor:
        for model in (TodoItem, Membership, TodoList, User):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")


def _number_all() -> None:
    while log.sequence().events:
        pass


def _shown() -> Channels:
    """What the channels have to show, read past the code that represents it in events."""
    members: defaultdict[int, list[Any]] = defaultdict(list)
    for row in Membership.objects.order_by("id").values("todo_list", "user", "user__username"):
        user = {"id": row["user"], "username": row["user__username"]}
        members[row["todo_list"]].append(user)
    columns = ("id", "name", "description", "owner", "owner__username", "created_at", "updated_at")
    lists = []
    for row in TodoList.objects.order_by().values(*columns):
        owner = {"id": row["owner"], "username": row.pop("owner__username")}
        lists.append(_plain(row) | {"owner": owner, "members": members[row["id"]]})
    return expected(lists, [_plain(row) for row in TodoItem.objects.order_by().values()])


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    times = {
        name: row[name].isoformat().replace("+00:00", "Z") for name in ("created_at", "updated_at")
    }
    if "todo_list_id" in row:
        row["todo_list"] = row.pop("todo_list_id")
    return row | times


# Kinds of writes


def add(machine: Transactions, n: int, m: int) -> None:
    for chosen in machine.lists(n)[: ITEMS - TodoItem.objects.count()]:
        TodoItem.objects.create(todo_list=chosen, text=machine.mark())


def edit(machine: Transactions, n: int, m: int) -> None:
    for item in machine.items(n):
        item.text = machine.mark()
        item.save()


def edit_stale(machine: Transactions, n: int, m: int) -> None:
    """An instance from before somebody else's write, of one field."""
    for item in machine.items(n):
        TodoItem.objects.filter(pk=item.pk).update(done=not item.done)
        item.text = machine.mark()
        item.save(update_fields=["text"])


def edit_twice(machine: Transactions, n: int, m: int) -> None:
    """And back: the second undoes the first."""
    for item in machine.items(n):
        before, item.text = item.text, machine.mark()
        item.save()
        item.text = before
        item.save()


def count_up(machine: Transactions, n: int, m: int) -> None:
    TodoItem.objects.filter(pk__in=[item.pk for item in machine.items(n, 3)]).update(
        position=F("position") + m
    )


def count_up_one(machine: Transactions, n: int, m: int) -> None:
    for item in machine.items(n):
        item.position = F("position") + 1
        item.text = machine.mark()
        item.save()


def move(machine: Transactions, n: int, m: int) -> None:
    for item in machine.items(n):
        for item.todo_list in machine.lists(m):
            item.save()


def move_some(machine: Transactions, n: int, m: int) -> None:
    rows = TodoItem.objects.filter(pk__in=[item.pk for item in machine.items(n, 4)])
    for chosen in machine.lists(m):
        rows.update(todo_list=chosen)


def delete(machine: Transactions, n: int, m: int) -> None:
    for item in machine.items(n):
        item.delete()


def delete_some(machine: Transactions, n: int, m: int) -> None:
    TodoItem.objects.filter(pk__in=[item.pk for item in machine.items(n, 4)]).delete()


def bulk_create(machine: Transactions, n: int, m: int) -> None:
    for chosen in machine.lists(n)[: ITEMS - TodoItem.objects.count()]:
        TodoItem.objects.bulk_create(
            TodoItem(todo_list=chosen, text=machine.mark(), position=m) for _ in range(1 + m % 3)
        )


def bulk_update(machine: Transactions, n: int, m: int) -> None:
    items = machine.items(n, 4)
    for item in items:
        item.text, item.done = machine.mark(), not item.done
    TodoItem.objects.bulk_update(items, ["text", "done"])


def upsert(machine: Transactions, n: int, m: int) -> None:
    """In bulk: one is there already, another may be too."""
    for item in machine.items(n):
        known, new = machine.mark(), machine.mark()
        TodoItem.objects.bulk_create(
            [
                TodoItem(id=item.pk, todo_list_id=item.todo_list_id, text=known, position=1),
                TodoItem(todo_list_id=item.todo_list_id, text=new, position=2, id=10**9 + m % 4),
            ],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=["text"],
        )


def get_or_create(machine: Transactions, n: int, m: int) -> None:
    for chosen in machine.lists(n)[: ITEMS - TodoItem.objects.count()]:
        wanted = {"todo_list": chosen, "position": m % 3, "done": True}
        if TodoItem.objects.filter(**wanted).count() < 2:
            TodoItem.objects.get_or_create(**wanted, defaults={"text": machine.mark()})


def update_or_create(machine: Transactions, n: int, m: int) -> None:
    for chosen in machine.lists(n):
        name = f"list {m % 3}"
        if TodoList.objects.filter(name=name).count() < 2:
            TodoList.objects.update_or_create(
                name=name, defaults={"description": machine.mark(), "owner_id": chosen.owner_id}
            )


def add_list(machine: Transactions, n: int, m: int) -> None:
    for owner in machine.users(n)[: max(0, LISTS - TodoList.objects.count())]:
        made = TodoList.objects.create(name=machine.mark(), owner=owner)
        made.items.create(text=machine.mark())


def rename_list(machine: Transactions, n: int, m: int) -> None:
    for chosen in machine.lists(n):
        chosen.name = machine.mark()
        chosen.save()


def give_away(machine: Transactions, n: int, m: int) -> None:
    for chosen in machine.lists(n):
        for chosen.owner in machine.users(m):
            chosen.memberships.filter(user=chosen.owner).delete()
            chosen.save()


def delete_list(machine: Transactions, n: int, m: int) -> None:
    """With its items and memberships, by itself or by a queryset."""
    for chosen in machine.lists(n):
        if m % 2:
            chosen.delete()
        else:
            TodoList.objects.filter(pk=chosen.pk).delete()


def share(machine: Transactions, n: int, m: int) -> None:
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


def unshare(machine: Transactions, n: int, m: int) -> None:
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


def share_twice(machine: Transactions, n: int, m: int) -> None:
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
            machine.blocks.pop().__exit__(type(error), error, None)
            machine.never |= machine.marks.pop()
            machine.notes.pop()
        else:
            raise AssertionError("A user is in a list twice")


def delete_user(machine: Transactions, n: int, m: int) -> None:
    """With their lists, and out of those of others; somebody else comes."""
    for user in machine.users(n):
        user.delete()
    User.objects.create(username=machine.mark())


def tell(machine: Transactions, n: int, m: int) -> None:
    """An event that is no model's."""
    text = machine.mark()
    realtime.trigger(NOTES, "note", text)
    machine.notes[-1].append(text)


KINDS = (
    add, edit, edit_stale, edit_twice, count_up, count_up_one, move, move_some, delete, delete_some,
    bulk_create, bulk_update, upsert, get_or_create, update_or_create, add_list, rename_list,
    give_away, delete_list, share, unshare, share_twice, delete_user, tell,
)  # fmt: skip


def check(sequences: int, steps: int = 25) -> Counter[str]:
    """Makes so many random sequences; what was done. Raises at the first violation."""
    done.clear()
    while done["sequences"] < sequences:
        run(
            Transactions,
            settings=hypothesis.settings(
                max_examples=min(ROUND, sequences - done["sequences"]),
                stateful_step_count=steps,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    return done


if __name__ == "__main__":
    sys.stdout.write(json.dumps(check(int(sys.argv[1]))))
