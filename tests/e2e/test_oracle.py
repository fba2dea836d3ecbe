"""Replicas built from snapshot and stream equal the database after random writes in every way."""

import os
import subprocess
import sys
from collections import defaultdict

from tests.oracle.replica import Replica, seq
from tests.servers import ROOT, wait_until

MUTATIONS = int(os.environ.get("ORACLE_MUTATIONS", "1500"))
REPLICAS = int(os.environ.get("ORACLE_REPLICAS", "8"))
WRITERS = 3
USERS = ("alice", "bob", "carol", "dave")


def start_writers(server):
    return [
        subprocess.Popen(
            [sys.executable, "-m", "tests.oracle.writer", str(n), str(MUTATIONS // WRITERS)],
            env=server.environ,
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        for n in range(WRITERS)
    ]


def write_over_http(server, writers):
    """Writes by REST for as long as the others write."""
    with server.client() as api:
        count = 0
        while any(writer.poll() is None for writer in writers):
            lists = api.get("/api/todo-lists/?limit=1").json()["results"]
            if not lists:
                continue
            body = {"todo_list": lists[0]["id"], "text": f"by HTTP {count}"}
            item = api.post("/api/todo-items/", json=body)
            if item.status_code == 201:
                url = f"/api/todo-items/{item.json()['id']}/"
                assert api.patch(url, json={"done": True}).status_code in (200, 404)
                assert api.delete(url).status_code in (204, 404)
            count += 3
        return count


def log_of(server):
    return server.query("SELECT seq, nonce, channel FROM realtime_event ORDER BY seq")


def assert_nothing_missed_or_made_up(replica, log):
    """What a replica has received is exactly what the log has for the channels it followed."""
    received = {(channel, event_id) for channel, event_id in replica.received}
    assert len(received) == len(replica.received), f"{replica.name}: something came twice"
    by_channel = defaultdict(list)
    for number, nonce, channel in log:
        by_channel[channel].append((number, f"{number}-{nonce}"))
    expected = {
        (channel, event_id)
        for channels, start, end in replica.covered
        for channel in channels
        for number, event_id in by_channel[channel]
        if start < number <= end
    }
    assert received - expected == set(), f"{replica.name}: phantoms"
    assert expected - received == set(), f"{replica.name}: gaps"


def test_replicas_equal_the_database(make_server):
    server = make_server(REALTIME_KEEP_ALIVE="1", REALTIME_RING="64", REALTIME_REPLAY_PAGE="50")
    server.shell(
        "from django.contrib.auth.models import User\n"
        "for name in ('carol', 'dave'): User.objects.create_user(name, password='realtime')"
    )
    tokens = {name: server.token(name) for name in USERS}
    replicas = [
        Replica(server.url, USERS[n % len(USERS)], tokens[USERS[n % len(USERS)]], n)
        for n in range(REPLICAS)
    ]
    for replica in replicas:
        replica.start()
    writers = start_writers(server)
    over_http = write_over_http(server, writers)
    mutations = over_http + sum(int(writer.communicate()[0]) for writer in writers)
    assert all(writer.returncode == 0 for writer in writers)
    for replica in replicas:
        replica.calm()

    def caught_up():
        if failures := [replica.failure for replica in replicas if replica.failure]:
            raise failures[0]
        log = log_of(server)
        if any(number is None for number, _, _ in log):
            return False
        return all(seq(replica.position) >= log[-1][0] for replica in replicas)

    wait_until(caught_up, "all replicas to catch up", timeout=60)
    fresh = [replica.fresh() for replica in replicas]
    for replica in replicas:
        replica.stop()
    log = log_of(server)
    assert [number for number, _, _ in log] == list(range(1, len(log) + 1))
    for replica, (lists, items) in zip(replicas, fresh, strict=True):
        assert replica.failure is None, replica.failure
        assert replica.lists == lists, replica.name
        assert replica.items == items, replica.name
        assert_nothing_missed_or_made_up(replica, log)
    resumes = sum(replica.resumes for replica in replicas)
    assert resumes > REPLICAS
    received = sum(len(replica.received) for replica in replicas)
    sys.stdout.write(
        f"\n{mutations} mutations, {len(log)} events, {REPLICAS} replicas: {received} received,"
        f" {resumes} resumes, {sum(r.resets for r in replicas)} resets\n"
    )
