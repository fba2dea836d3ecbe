"""Streams are counted across workers, exactly, and none of a worker that has died."""

import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from realtime import leases, models, quotas
from realtime.database import locks
from realtime.leases import Lease
from realtime.quotas import Quotas
from tests.threads import at_once, open_transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def worker():
    """The quotas of a new worker."""
    return Quotas(Lease())


def open_streams():
    return models.Stream.objects.count()


def ago(**by):
    return timezone.now() - timedelta(**by)


def age(model, **by):
    column = "seen_at" if model is models.Worker else "opened_at"
    model.objects.update(**{column: ago(**by)})


def test_all_workers_count_together():
    one, other = worker(), worker()
    first = one.take("user 1", 3)
    assert all((first, other.take("user 1", 3), other.take("user 1", 3)))
    assert one.take("user 1", 3) is None
    assert other.take("user 1", 3) is None
    assert one.take("user 2", 3)
    one.free(first)
    one.tell()
    assert other.take("user 1", 3)


def test_those_who_come_at_once_are_not_more_than_allowed(monkeypatch, either_database):
    # Who loses patience opens a stream that is counted later; on a busy machine, many would.
    monkeypatch.setattr(locks, "PATIENCE", 20_000)
    taken = []

    def open_some():
        own = worker()
        for _ in range(5):
            taken.append(own.take("user 1", 7))

    at_once(*[open_some] * 4)
    assert len([id for id in taken if id]) == 7
    assert open_streams() == 7


def test_a_worker_that_begins_with_many_streams_at_once_counts_each_once():
    one = worker()

    def open_some():
        for _ in range(3):
            one.hold(one.take("user 1", 100))

    at_once(*[open_some] * 6)
    one.tell()
    assert open_streams() == 18


def test_a_worker_of_this_machine_that_has_died_counts_no_more(dead_pid):
    crashed = worker()
    crashed._lease.worker.pid = dead_pid
    assert all(crashed.take("user 1", 2) for _ in range(2))
    own = worker()
    assert all(own.take("user 1", 2) for _ in range(2))
    assert own.take("user 1", 2) is None


def test_a_worker_of_another_machine_counts_until_its_lease_is_over(dead_pid):
    far = worker()
    far._lease.worker.pid, far._lease.worker.host = dead_pid, "elsewhere"
    assert far.take("user 1", 1)
    own = worker()
    assert own.take("user 1", 1) is None
    own.take("user 2", 1)
    models.Worker.objects.filter(host="elsewhere").update(seen_at=ago(seconds=10))
    leases.declare_lost(leases.silent())
    assert own.take("user 1", 1)
    far._lease.renew()
    far.tell()
    assert worker().take("user 1", 2) is None


def test_a_worker_that_leaves_takes_its_streams_along():
    one = worker()
    assert one.take("user 1", 1)
    one.leave()
    assert open_streams() == 0
    assert worker().take("user 1", 1)


def test_a_place_that_was_just_left_may_be_taken_at_once():
    one = worker()
    slot = one.take("user 1", 1)
    one.hold(slot)
    one.free(slot)
    assert one.take("user 1", 1)
    assert one.take("user 1", 1) is None
    one.tell()
    assert open_streams() == 1


def test_a_stream_whose_client_left_while_it_was_opened_is_given_up(monkeypatch):
    one = worker()
    one.hold(one.take("user 1", 2))
    assert one.take("user 1", 2)
    one.tell()
    assert one.take("user 1", 2) is None
    monkeypatch.setattr(quotas, "_OPENING", 0.0)
    one.tell()
    assert one.take("user 1", 2)


def test_rows_that_nobody_knows_are_tidied_up():
    one, dead = worker(), worker()
    one.take("user 1", 9)
    dead.take("user 1", 9)
    models.Stream.objects.create(worker=one._lease.worker, owner="user 1", opened_at=timezone.now())
    age(models.Stream, minutes=5)
    models.Worker.objects.filter(pk=dead._lease.worker.pk).update(seen_at=ago(minutes=5))
    one.take("user 1", 9)
    leases.declare_lost(leases.silent())
    leases.tidy()
    one.tidy()
    assert models.Worker.objects.get().pk == one._lease.worker.pk
    assert open_streams() == 2


@pytest.fixture
def cannot_count(monkeypatch):
    """Has counting fail until it is called."""

    def fail(*args, **options):
        raise OperationalError("locked")

    with monkeypatch.context() as patch:
        patch.setattr(locks, "take", fail)
        yield patch.undo


def test_what_cannot_be_counted_opens_and_is_counted_as_soon_as_it_can_be(cannot_count):
    one, other = worker(), worker()
    slots = [one.take("user 1", 2) for _ in range(2)]
    assert all(slots)
    for slot in slots:
        one.hold(slot)
    assert open_streams() == 0
    assert one.take("user 1", 2) is None  # That many it knows of itself.
    cannot_count()
    one.tell()
    assert other.take("user 1", 2) is None
    one.free(slots[0])
    one.tell()
    assert other.take("user 1", 2)
    assert other.take("user 1", 2) is None


def test_a_stream_that_ends_while_it_is_counted_late_is_not_left_behind(cannot_count, monkeypatch):
    one = worker()
    slot = one.take("user 1", 2)
    one.hold(slot)
    cannot_count()
    save = models.Stream.save

    def end_meanwhile(row, **options):
        one.free(slot)
        save(row, **options)

    monkeypatch.setattr(models.Stream, "save", end_meanwhile)
    one.tell()
    assert open_streams() == 0


def test_who_was_taken_for_dead_and_lives_is_counted_again():
    one, other = worker(), worker()
    one.hold(one.take("user 1", 1))
    models.Worker.objects.all().delete()
    one._lease.renew()
    one.tell()
    assert other.take("user 1", 1) is None


def test_a_worker_whose_row_has_just_gone_opens_streams_all_the_same():
    one = worker()
    one.take("user 1", 9)
    models.Worker.objects.all().delete()
    one.hold(one.take("user 1", 9))
    one._lease.renew()
    one.tell()
    assert open_streams() == 1


def test_when_the_database_was_away_nobody_has_died_of_that():
    one, other, dead = worker(), worker(), worker()
    for each in (one, other, dead):
        each.take("user 1", 9)
    models.Worker.objects.update(seen_at=ago(seconds=15))
    for each in (one, other):
        each._lease.renew()
    assert one.take("user 1", 3) is None
    leases.declare_lost(leases.silent())
    assert one.take("user 1", 2) is None
    assert one.take("user 1", 3)


def test_who_is_refused_needs_no_lock(cannot_count):
    one, other = worker(), worker()
    models.Stream.objects.create(worker=holding(other), owner="user 1", opened_at=timezone.now())
    assert one.take("user 1", 1) is None


def holding(one):
    """The row of a worker that lives."""
    one._lease.ensure()
    return one._lease.worker


@pytest.mark.skipif(connection.vendor != "sqlite", reason="is about SQLite's only write lock")
def test_the_lock_that_others_have_is_asked_for_often(monkeypatch):
    attempts = []

    def fail_at_first(*args):
        attempts.append(args)
        if len(attempts) < 4:
            raise OperationalError("database is locked")

    monkeypatch.setattr(locks, "limit_pauses", fail_at_first)
    assert worker().take("user 1", 1)
    assert len(attempts) == 4
    assert open_streams() == 1


@pytest.mark.skipif(connection.vendor != "sqlite", reason="is about SQLite's only write lock")
def test_counting_does_not_wait_for_a_long_write():
    own = worker()
    own.take("user 2", 1)
    with open_transaction(lambda: models.Worker.objects.update(pid=1)):
        begun = time.monotonic()
        own.hold(own.take("user 1", 2))
        assert time.monotonic() - begun < 5  # Other writers wait for 20 s.
        assert open_streams() == 1
    own.tell()
    assert open_streams() == 2
    with connection.cursor() as cursor:
        timeout = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
    assert timeout == connection.settings_dict["OPTIONS"]["timeout"] * 1000
