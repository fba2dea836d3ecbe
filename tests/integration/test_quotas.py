"""Streams are counted across workers, exactly, and none of a worker that has died."""

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone

from realtime import leases, locks, models, quotas
from realtime.leases import Lease
from realtime.quotas import Quotas

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def quotas_of_a_worker():
    return Quotas(Lease())


def open_streams():
    return models.Stream.objects.count()


def age(model, **by):
    column = "seen_at" if model is models.Worker else "opened_at"
    model.objects.update(**{column: timezone.now() - timedelta(**by)})


def test_all_workers_count_together():
    one, other = quotas_of_a_worker(), quotas_of_a_worker()
    first = one.take("user 1", 3)
    assert all((first, other.take("user 1", 3), other.take("user 1", 3)))
    assert one.take("user 1", 3) is None
    assert other.take("user 1", 3) is None
    assert one.take("user 2", 3)
    one.free([first])
    assert other.take("user 1", 3)


def test_those_who_come_at_once_are_not_more_than_allowed(monkeypatch):
    # Who loses patience opens a stream that is not counted; on a busy machine, many would.
    monkeypatch.setattr(locks, "PATIENCE", 20_000)
    taken = []

    def open_some():
        own = quotas_of_a_worker()
        for _ in range(5):
            taken.append(own.take("user 1", 7))
        connections.close_all()

    threads = [threading.Thread(target=open_some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([id for id in taken if id]) == 7
    assert open_streams() == 7


def test_a_worker_of_this_machine_that_has_died_counts_no_more(dead_pid):
    crashed = quotas_of_a_worker()
    crashed._lease.worker.pid = dead_pid
    assert all(crashed.take("user 1", 2) for _ in range(2))
    own = quotas_of_a_worker()
    assert all(own.take("user 1", 2) for _ in range(2))
    assert own.take("user 1", 2) is None
    assert open_streams() == 2


def test_a_worker_of_another_machine_counts_until_its_lease_is_over(dead_pid):
    far = quotas_of_a_worker()
    far._lease.worker.pid, far._lease.worker.host = dead_pid, "elsewhere"
    assert far.take("user 1", 1)
    own = quotas_of_a_worker()
    assert own.take("user 1", 1) is None
    age(models.Worker, seconds=10)
    own._lease.renew()
    assert own.take("user 1", 1)
    far._lease.renew()
    assert quotas_of_a_worker().take("user 1", 2) is None


def test_a_worker_that_leaves_takes_its_streams_along():
    one = quotas_of_a_worker()
    assert one.take("user 1", 1)
    one.leave()
    assert open_streams() == 0
    assert quotas_of_a_worker().take("user 1", 1)


def test_what_nobody_holds_is_tidied_up():
    one, dead = quotas_of_a_worker(), quotas_of_a_worker()
    held, lost = one.take("user 1", 9), one.take("user 1", 9)
    dead.take("user 1", 9)
    age(models.Worker, minutes=5)
    age(models.Stream, minutes=5)
    one._lease.renew()
    opening = one.take("user 1", 9)
    leases.declare_lost(leases.silent())
    leases.tidy()
    one.tidy([held])
    assert set(models.Stream.objects.values_list("pk", flat=True)) == {held, opening}
    assert lost not in (held, opening)


def test_a_database_that_cannot_count_lets_streams_open(monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("locked")

    monkeypatch.setattr(locks, "take", fail)
    assert quotas_of_a_worker().take("user 1", 1) == quotas.UNCOUNTED


@pytest.mark.skipif(connection.vendor != "sqlite", reason="is about SQLite's only write lock")
def test_counting_does_not_wait_for_a_long_write():
    own = quotas_of_a_worker()
    own._lease.renew()
    written, done = threading.Event(), threading.Event()

    def write():
        from django.db import transaction

        with transaction.atomic():
            models.Worker.objects.update(pid=1)
            written.set()
            done.wait(30)
        connections.close_all()

    thread = threading.Thread(target=write)
    thread.start()
    written.wait(30)
    assert own.take("user 1", 1) == quotas.UNCOUNTED
    done.set()
    thread.join()
    assert own.take("user 1", 1)
    with connection.cursor() as cursor:
        timeout = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    assert timeout == connection.settings_dict["OPTIONS"]["timeout"] * 1000
