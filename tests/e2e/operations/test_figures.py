"""Figures over workers that die, and what the log's lines say."""

import os
import re
import signal
import subprocess
from contextlib import closing, contextmanager

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.operations.conftest import TOKEN, holder, lines, outsider, well
from tests.servers import DEADLINE, Server, wait_until, web_command
from tests.streams import Stream


def figures(server):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    page = outsider.get(f"{server.url}/metrics", headers=headers)
    page.raise_for_status()
    return {
        (sample.name, *sorted(sample.labels.values())): (sample.value, family.type)
        for family in text_string_to_metric_families(page.text)
        for sample in family.samples
    }


def figure(server, *name):
    return figures(server)[name][0]


def counts(server):
    kinds = ("counter", "histogram")
    return {name: value for name, (value, kind) in figures(server).items() if kind in kinds}


@contextmanager
def never_falling(server):
    """Counts are watched while something happens: no answer of any worker says less than one
    before it."""
    watched = [counts(server)]

    def watch():
        watched.append(counts(server))
        fallen = {name for name, value in watched[-2].items() if watched[-1][name] < value}
        assert not fallen
        return True

    yield watch
    for _ in range(6):
        watch()


def test_figures_are_of_all_workers_and_outlive_them(server, streams):
    well(server)
    before = figure(server, "realtime_events_delivered_total")
    opened = streams("alice")
    with server.client() as client:
        client.patch("/api/todo-items/1/", json={"text": "figures"}).raise_for_status()
    for stream in opened:
        stream.change()
    assert figure(server, "realtime_events_delivered_total") >= before + len(opened)
    assert figure(server, "realtime_events_appended_total") >= 1
    assert figure(server, "realtime_delivery_lag_seconds_count") >= 2

    def held():
        return figure(server, "realtime_connections", "sse")

    wait_until(lambda: held() == len(opened), "both workers to have measured")
    assert figure(server, "realtime_workers") == 2

    victim = holder(server, opened[0])
    left = [stream for stream in opened if holder(server, stream) != victim]
    with never_falling(server) as watch:
        subprocess.run(["kill", "-9", str(victim)], check=True)
        wait_until(lambda: watch() and held() == len(left), "the dead to be forgotten")
        wait_until(lambda: watch() and figure(server, "realtime_workers") == 2, "a new worker")
    with never_falling(server) as watch:
        old = set(server.workers)
        server.signal(signal.SIGHUP)
        wait_until(lambda: watch() and not old & set(server.workers), "the workers to be replaced")
        wait_until(lambda: watch() and figure(server, "realtime_workers") == 2, "new workers")
    for stream in left:
        # Drained.
        assert stream.rest()[-1].retry


class OfAnotherProject(Server):
    """Started as other projects start theirs: with the worker, and no settings of gunicorn's."""

    def command(self):
        (self.folder / "none.py").touch()
        workers = ["-w", "2", "-k", "realtime.gunicorn.Worker", "-c", str(self.folder / "none.py")]
        return [
            *web_command()[:1],
            "api.asgi:application",
            *workers,
            "-b",
            f"127.0.0.1:{self.port}",
        ]


def test_figures_are_of_all_workers_whatever_gunicorns_settings_are(tmp_path):
    (temporary := tmp_path / "tmp").mkdir()
    server = OfAnotherProject(tmp_path, METRICS_TOKEN=TOKEN, TMPDIR=str(temporary))
    server.manage("migrate", "--verbosity", "0")
    server.start()
    try:
        for _ in range(10):
            wait_until(lambda: figure(server, "realtime_workers") == 2, "both to be counted")
        os.kill(server.workers[0], signal.SIGKILL)
        wait_until(lambda: figure(server, "realtime_workers") == 2, "a new worker")
    finally:
        server.stop()
    assert not list(temporary.glob("realtime-metrics-*"))


def test_without_the_token_nobody_reads_them(server):
    wrong = {"Authorization": f"Bearer {TOKEN}x"}
    for headers in ({}, wrong, {**wrong, "Host": "unknown"}):
        answer = outsider.get(f"{server.url}/metrics", headers=headers)
        assert answer.status_code == 401
        assert "realtime_" not in answer.text


def test_refusals_resets_and_resumes_are_counted(server):
    refused = figure(server, "realtime_refusals_total", "forbidden")
    resets = figure(server, "realtime_resets_total", "unknown-id")
    resumes = figure(server, "realtime_resumes_total", "sse")
    token = server.token()
    with closing(Stream(server.url, ["private-nothing"], token=token)) as stream:
        assert stream.rest() == []
    with closing(Stream(server.url, ["private-todo-list.1"], token=token)) as stream:
        position = stream.opened().last_event_id
    for last, event in ((position, "stream-open"), ("1-12345678", "stream-reset")):
        wanted = ["private-todo-list.1"]
        with closing(Stream(server.url, wanted, token=token, last_event_id=last)) as stream:
            stream.until(lambda one, event=event: one.event == event)
    assert figure(server, "realtime_refusals_total", "forbidden") == refused + 1
    assert figure(server, "realtime_resets_total", "unknown-id") == resets + 1
    assert figure(server, "realtime_resumes_total", "sse") == resumes + 1


# The log's lines


def test_a_stream_s_request_is_named_from_its_beginning_to_its_end(server):
    headers = {"Authorization": f"Token {server.token()}", "X-Request-ID": "one-of-mine"}
    url = f"{server.url}/api/events/?channel=private-todo-list.1"
    headers["Accept"] = "text/event-stream"
    with httpx.stream("GET", url, headers=headers, timeout=DEADLINE) as answer:
        assert answer.headers["X-Request-ID"] == "one-of-mine"

    def told():
        return [line for line in lines(server) if line.get("request_id") == "one-of-mine"]

    wait_until(lambda: len(told()) == 2, "two lines about the stream")
    first, last = told()
    assert (first["message"], first["transport"]) == ("A connection has opened", "sse")
    assert last["reason"] == "left"
    assert first["owner"].startswith("user ")


def test_nobody_writes_lines_into_the_log_by_an_id(server):
    with server.client() as client:
        sent = {"X-Request-ID": 'x","level":"CRITICAL'}
        answer = client.get("/api/todo-lists/", headers=sent)
    made = answer.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    wait_until(lambda: made in server.log, "a line about the request")
    assert not any(line["level"] == "CRITICAL" for line in lines(server))
