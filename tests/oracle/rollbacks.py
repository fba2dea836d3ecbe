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
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.signals import post_save
from rest_framework.authtoken.models import Token

from realtime import log
from realtime.testing import settle
from tests.oracle.kinds import KINDS, NOTES
from tests.oracle.ledger import Channels, Ledger, expected
from todos.models import Membership, TodoItem, TodoList

MARK = re.compile(r"mark \d+\.")
USERS = 3
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
        self.settle(lost=self.close(Failure() if fails else None))

    def close(self, failure: Exception | None = None) -> bool:
        """Ends a block, perhaps by an exception; whether it was rolled back."""
        lost = failure is not None or self.is_doomed()
        self.blocks.pop().__exit__(type(failure) if failure else None, failure, None)
        marks, notes = self.marks.pop(), self.notes.pop()
        if lost:
            done["rollbacks"] += 1
            self.never |= marks
        else:
            self.marks[-1] |= marks
            self.notes[-1] += notes
        return lost

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
    @rule(kind=st.sampled_from(KINDS), n=NUMBERS, m=NUMBERS)
    def write(self, kind: Any, n: int, m: int) -> None:
        """One write."""
        kind(self, n, m)
        self.settle()

    @precondition(lambda self: not self.is_doomed())
    @rule(kind=st.sampled_from(KINDS), n=NUMBERS, m=NUMBERS, half=st.booleans())
    def write_in_vain(self, kind: Any, n: int, m: int, half: bool) -> None:
        """One write, in a block that fails after it; or `half` of it, since somebody's receiver
        raises after a row was saved."""
        self.enter(True)
        if half:
            self.write_half(kind, n, m)
        else:
            kind(self, n, m)
            self.settle(lost=self.close(Failure()))

    def write_half(self, kind: Any, n: int, m: int) -> None:
        """Ends the block that it is in, well if nothing was saved."""

        def fail(**kwargs: Any) -> None:
            raise Failure

        post_save.connect(fail, dispatch_uid="fail")
        failure: Failure | None = None
        try:
            kind(self, n, m)
        except Failure as error:
            failure = error
        finally:
            post_save.disconnect(dispatch_uid="fail")
        self.settle(lost=self.close(failure))

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
        settle()
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
            self.close()
        self.settle()


def _clear() -> None:
    with connection.cursor() as cursor:
        for model in (TodoItem, Membership, TodoList, Token, User):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")


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


def check(sequences: int, steps: int = 20) -> Counter[str]:
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
