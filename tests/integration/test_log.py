"""The log: numbering, positions, pruning."""

import pytest
from django.db import transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from realtime import log, models
from realtime.events import Event, EventId
from realtime.exceptions import PositionLost
from realtime.testing import settle


def append(*texts, channel="a"):
    return log.append(Event(channel, "x", f'"{text}"') for text in texts)


def texts(page):
    return [event.data.strip('"') for event in page.events]


def numbers(page, start):
    return [event.position.seq - start.seq for event in page.events]


@pytest.mark.django_db
def test_numbers_are_given_in_the_order_of_writing_without_a_hole(either_database):
    start = log.head()
    append("1", "2")
    settle()
    append("3")
    settle()
    page = log.read_after(start)
    assert numbers(page, start) == [1, 2, 3]
    assert texts(page) == ["1", "2", "3"]


@pytest.mark.django_db
def test_numbers_come_with_the_position_that_they_follow(either_database):
    start = log.head()
    at_once, afterwards = append("1", "2"), log.sequence()
    numbered = at_once if at_once.events else afterwards
    assert (at_once.events, afterwards.events) in [(numbered.events, ()), ((), numbered.events)]
    assert numbered.after == start
    assert list(numbered.events) == log.read_after(start).events


@pytest.mark.django_db(transaction=True)
def test_what_is_rolled_back_never_was_and_leaves_no_hole(either_database):
    start = log.head()
    append("1")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        append("phantom")
        _ = 1 / 0
    with transaction.atomic():
        append("2")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            append("phantom of a savepoint")
            _ = 1 / 0
        append("3")
    settle()
    page = log.read_after(start)
    assert numbers(page, start) == [1, 2, 3]
    assert texts(page) == ["1", "2", "3"]


@pytest.mark.django_db
def test_nothing_is_readable_before_it_has_a_number(postgres_log):
    start = log.head()
    append("1")
    assert log.read_after(start).events == []
    assert log.head() == start


@pytest.mark.django_db
def test_a_long_wait_is_numbered_in_batches(postgres_log, monkeypatch):
    monkeypatch.setattr("realtime.log.writing.BATCH", 2)
    start = log.head()
    append(*"12345")
    assert [numbers(log.sequence(), start) for _ in range(4)] == [[1, 2], [3, 4], [5], []]


@pytest.mark.django_db
def test_reading_is_paged_and_says_up_to_where_it_is_complete():
    start = log.head()
    append("1", "2")
    append("other", channel="b")
    append("3")
    settle()
    first = log.read_after(start, ["a"], limit=2)
    assert (texts(first), first.complete) == (["1", "2"], False)
    second = log.read_after(first.upto, ["a"], limit=2)
    assert (texts(second), second.complete, second.upto) == (["3"], True, log.head())


@pytest.mark.django_db
def test_a_page_of_quiet_channels_still_reaches_the_head():
    start = log.head()
    append("1", channel="b")
    settle()
    page = log.read_after(start, ["a"])
    assert (page.events, page.upto) == ([], log.head())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda head: EventId(head.seq + 1, head.nonce), "unknown-id"),
        (lambda head: EventId(head.seq, "00000000"), "unknown-id"),
        (lambda head: EventId(head.seq - 1, "00000000"), "unknown-id"),
        (lambda head: EventId(0, "00000000"), "unknown-id"),
        (lambda head: EventId(10**17, head.nonce), "unknown-id"),
    ],
)
def test_a_position_of_another_log_is_lost(change, reason):
    append("1", "2")
    settle()
    with pytest.raises(PositionLost) as caught:
        log.read_after(change(log.head()))
    assert caught.value.reason == reason


@pytest.mark.django_db
def test_a_restored_log_is_not_taken_for_the_one_it_was():
    append("1", "2")
    settle()
    at_backup = log.head()
    append("3")
    settle()
    lost = log.head()
    models.Event.objects.filter(seq=lost.seq).delete()
    models.Head.objects.update(seq=at_backup.seq, nonce=at_backup.nonce)
    with pytest.raises(PositionLost):
        log.read_after(lost)
    append("another 3", "4")
    settle()
    with pytest.raises(PositionLost):
        log.read_after(lost)
    assert texts(log.read_after(at_backup)) == ["another 3", "4"]


@pytest.mark.django_db
def test_pruning_by_number_raises_the_floor_and_who_is_below_is_lost():
    start = log.head()
    append(*"12345")
    settle()
    third = log.read_after(start, limit=3).upto
    assert log.prune(max_events=2) == 3
    with pytest.raises(PositionLost) as caught:
        log.read_after(start)
    assert caught.value.reason == "pruned"
    assert texts(log.read_after(third)) == ["4", "5"]
    assert log.extent().floor == third


@pytest.mark.django_db
def test_pruning_by_age_keeps_what_is_young_enough():
    append("old")
    settle()
    models.Event.objects.update(created_at="2020-01-01T00:00Z")
    append("young")
    settle()
    assert log.prune(max_age=60) == 1
    assert texts(log.read_after(log.extent().floor)) == ["young"]


@pytest.mark.django_db
def test_an_empty_log_can_still_be_resumed_from_its_head():
    append("1", "2")
    settle()
    log.prune(max_events=0)
    head = log.head()
    assert log.read_after(head).events == []
    append("3")
    settle()
    assert texts(log.read_after(head)) == ["3"]


@pytest.mark.django_db
def test_pruning_leaves_what_has_no_number_yet(postgres_log):
    start = log.head()
    append("waiting")
    log.prune(max_age=0, max_events=0)
    assert numbers(log.sequence(), start) == [1]


@pytest.mark.django_db
def test_pruning_gets_over_rows_that_somebody_deleted_by_hand():
    append(*"1234")
    settle()
    models.Event.objects.filter(seq__lte=2).delete()
    log.prune(max_events=1)
    assert texts(log.read_after(log.extent().floor)) == ["4"]


@pytest.mark.django_db
def test_reading_never_passes_over_what_is_pruned_meanwhile(monkeypatch):
    start = log.head()
    append("1", "2")
    settle()
    extent = log.extent

    def pruned_after_the_first_look():
        seen = extent()
        monkeypatch.setattr("realtime.log.reading.extent", extent)
        log.prune(max_events=1)
        return seen

    monkeypatch.setattr("realtime.log.reading.extent", pruned_after_the_first_look)
    with pytest.raises(PositionLost):
        log.read_after(start)


class Numbering(TestCase):
    """Any interleaving of appends, rollbacks and numberings is gapless and in order."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from(["append", "rollback", "number", "savepoint"]), max_size=25))
    def test_numbers_are_gapless(self, steps):
        start = log.head()
        kept = []
        for n, step in enumerate(steps):
            if step == "number":
                log.sequence()
                continue
            with transaction.atomic():
                append(str(n))
                if step == "rollback":
                    transaction.set_rollback(True)
                else:
                    kept.append(str(n))
                if step == "savepoint":
                    with transaction.atomic():
                        append("phantom")
                        transaction.set_rollback(True)
        settle()
        events = log.read_after(start).events
        assert [event.data.strip('"') for event in events] == kept
        numbers = [event.position.seq for event in events]
        assert numbers == list(range(start.seq + 1, start.seq + 1 + len(kept)))
