"""Whoever locks several things at once locks them in the order in which all others do."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections, transaction

from realtime import models, occupancy
from realtime.database import locks
from realtime.leases import Lease
from realtime.presence import membership
from realtime.presence.members import Arrival, Change

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = [f"presence-{n}" for n in range(40)]
ROUNDS = 15


def together(*tasks):
    """Runs tasks again and again, each on a thread of its own; raises what any of them raises."""

    def repeat(task):
        try:
            for round in range(ROUNDS):
                task(round)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(tasks)) as pool:
        list(pool.map(repeat, tasks))


def test_locks_of_the_same_names_never_wait_for_each_other(either_database):
    def task(names):
        def take(round):
            with transaction.atomic():
                locks.take("default", names)

        return take

    together(task(NAMES), task(NAMES[::-1]), task(NAMES[20:] + NAMES[:20]))


def test_many_channels_are_joined_and_left_at_once(either_database):
    def task(worker):
        lease = Lease()

        def join_and_leave(round):
            names = NAMES[::-1] if worker else NAMES
            arrivals = {"1.1": Arrival(f"user {worker}", "null")}
            membership.apply(lease, {name: Change(arrivals) for name in names})
            membership.apply(lease, {name: Change(leavers={"1.1"}) for name in names})

        return join_and_leave

    together(*map(task, range(3)))
    assert not models.Member.objects.exists()


def test_many_channels_are_counted_at_once(either_database):
    def task(worker):
        lease = Lease()

        def count(round):
            occupancy.write(lease, dict.fromkeys(NAMES[:: 1 if worker else -1], round))

        return count

    together(*map(task, range(3)))
    assert occupancy.occupied() == dict.fromkeys(NAMES, 3 * (ROUNDS - 1))


def test_the_time_is_that_of_the_database(either_database):
    before = locks.clock("default")
    assert before <= locks.clock("default") < before + 60
