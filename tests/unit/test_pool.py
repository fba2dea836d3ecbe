"""The figures of several processes: no count ever falls, and the dead are not among those that are
connected."""

import os
import subprocess
import sys
from contextlib import suppress

import pytest
from prometheus_client.parser import text_string_to_metric_families

from realtime import meters, pool
from realtime.operations import exposition
from tests.servers import ROOT

PROCESS = """
import sys
from pathlib import Path
from realtime import meters
from realtime.pool import Pool
Pool(Path(sys.argv[1])).join()
meters.values[meters.WORKERS.first] = 1
meters.values[meters.OPENED.slot("sse")] = 3
meters.values[meters.ENDED.slot("sse", "left")] = 1
meters.values[meters.HUB_POSITION.first] = float(sys.argv[2])
meters.values[meters.BUFFERED_MOST.first] = float(sys.argv[2])
for line in sys.stdin:
    meters.values[meters.DELIVERED.first] += int(line)
    print("counted", flush=True)
"""


class Process:
    """A worker that counts what it is told to."""

    def __init__(self, folder, position=0):
        command = [sys.executable, "-c", PROCESS, str(folder), str(position)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)

    def count(self, number):
        print(number, file=self.process.stdin, flush=True)
        assert self.process.stdout.readline() == "counted\n"

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(pool.tempfile, "tempdir", str(tmp_path))
    return pool.create()


@pytest.fixture
def start(server):
    """Starts workers."""
    started = []

    def start(position=0):
        started.append(Process(server.folder, position))
        started[-1].count(0)
        return started[-1]

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            process.kill()


def figure(server, family, *values):
    return server.figures()[family.slot(*values)]


def test_what_a_killed_process_has_counted_stays_and_its_connections_do_not(server, start):
    one, other = start(), start()
    one.count(5)
    other.count(7)
    assert figure(server, meters.DELIVERED) == 12
    assert figure(server, meters.CONNECTIONS, "sse") == 4
    one.kill()
    for _ in range(3):
        assert figure(server, meters.DELIVERED) == 12
        assert figure(server, meters.CONNECTIONS, "sse") == 2
        assert figure(server, meters.WORKERS) == 1
        server.bury()
    other.count(1)
    assert figure(server, meters.DELIVERED) == 13


def test_the_folder_does_not_grow_with_those_that_have_died(server, start):
    for n in range(1, 4):
        process = start()
        process.count(10)
        process.kill()
        server.bury()
        assert figure(server, meters.DELIVERED) == 10 * n
        assert [path.name for path in server.folder.iterdir()] == ["sums.json"]


def test_a_process_that_is_in_the_sums_already_is_not_counted_twice(server, start):
    process = start()
    process.count(3)
    process.kill()
    (file,) = server.folder.iterdir()
    before = file.read_bytes()
    server.bury()
    # As between the two steps by which the master does it, or if it dies there.
    file.write_bytes(before)
    assert figure(server, meters.DELIVERED) == 3
    server.bury()
    assert figure(server, meters.DELIVERED) == 3


def test_who_reads_while_the_master_adds_up_reads_again(server, start, monkeypatch):
    process = start()
    process.count(3)
    process.kill()
    original = pool.Pool._processes

    def interrupted(self, dead):
        monkeypatch.setattr(pool.Pool, "_processes", original)
        # The sums were read, and now what they lack is gone.
        self.bury()
        return original(self, dead)

    monkeypatch.setattr(pool.Pool, "_processes", interrupted)
    assert figure(server, meters.DELIVERED) == 3


def test_gauges_of_several_processes_come_to_what_they_mean(server, start):
    start(7)
    start(9)
    assert figure(server, meters.HUB_POSITION) == 7
    assert figure(server, meters.BUFFERED_MOST) == 9


def test_without_processes_there_is_nothing(server):
    assert set(server.figures()) == {0.0}


def test_what_killed_masters_have_left_is_removed_and_nothing_else(server, start):
    old = server.folder.with_name("realtime-metrics-old")
    old.mkdir()
    os.utime(old, (1, 1))
    new = server.folder.with_name("realtime-metrics-new")
    new.mkdir()
    other = server.folder.with_name("something-else")
    other.mkdir()
    pool.create()
    assert server.folder.exists()
    assert other.exists()
    assert not old.exists()
    assert new.exists(), "somebody is just about to lock it"


def test_the_page_is_one_that_prometheus_reads(server, start):
    start().count(4)
    text = exposition.text(server.figures()).decode()
    found = {family.name: family for family in text_string_to_metric_families(text)}
    assert found["realtime_events_delivered"].type == "counter"
    assert found["realtime_events_delivered"].samples[0].value == 4
    assert {family.name.removesuffix("_total") for family in meters.families} <= set(found)
    assert found["realtime_delivery_lag_seconds"].type == "histogram"


def test_observations_fall_into_their_buckets(monkeypatch):
    monkeypatch.setattr(meters, "values", memoryview(bytearray(8 * meters.SIZE)).cast("d"))
    for value in (0.005, 0.02, 0.02, 99.0):
        meters.LAG.observe(value)
    text = exposition.text(list(meters.values)).decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if "lag_seconds" in line)
    bucket = "realtime_delivery_lag_seconds_bucket"
    assert lines[f'{bucket}{{le="0.005"}}'] == "1.0"
    assert lines[f'{bucket}{{le="0.025"}}'] == "3.0"
    assert lines[f'{bucket}{{le="+Inf"}}'] == "4.0"
    assert float(lines["realtime_delivery_lag_seconds_sum"]) == pytest.approx(99.045)
