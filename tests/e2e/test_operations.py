"""Operations, on a real server of two workers, PostgreSQL and Redis: health while parts of it are
away, figures over workers that die, connections ended from elsewhere, commands."""

import json
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing, contextmanager

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers import DEADLINE, ROOT, on_postgres, wait_until
from tests.services import TcpProxy
from tests.streams import Stream
from tests.websockets import ENVIRON, Client

TOKEN = "a-token-of-these-tests"
PROMPT = 3.0
"""Seconds within which health is answered, whatever is away. It takes a millisecond; the machine
may be busy."""


@pytest.fixture(scope="module")
def redis(make_redis):
    return make_redis()


@pytest.fixture(scope="module")
def network(postgres):
    """What lies between the server and its database."""
    proxy = TcpProxy(postgres.port)
    yield proxy
    proxy.close()


@pytest.fixture(scope="module")
def server(make_server, postgres, network, redis, tmp_path_factory):
    name = on_postgres(postgres, tmp_path_factory).rpartition("/")[2]
    server = make_server(
        DATABASE_URL=postgres.url(name, network.port),
        REDIS_URL=redis.url,
        METRICS_TOKEN=TOKEN,
        LOG_FORMAT="json",
        REALTIME_KEEP_ALIVE="1",
        WEB_CONCURRENCY="2",
        **ENVIRON,
    )
    server.shell(
        "from django.contrib.auth.models import User\n"
        "User.objects.create_superuser('root', password='realtime')\n"
    )
    yield server
    # While its database is still there.
    server.stop()


@pytest.fixture
def streams(server):
    """Opens streams of somebody, until every worker holds one."""
    with ExitStack() as stack:

        def open_all(username, channel="private-todo-list.1"):
            opened, holders = [], set()

            def all_hold():
                stream = Stream(server.url, [channel], token=server.token(username)).opened()
                opened.append(stack.enter_context(closing(stream)))
                holders.add(holder(server, stream))
                return holders == set(server.workers)

            wait_until(all_hold, "every worker to hold a stream")
            return opened

        yield open_all


def holder(server, stream):
    connection = stream.response.extensions["network_stream"].get_extra_info("socket")
    return server.holders([connection.getsockname()[1]])[0]


def lines(server):
    """The log's lines; what is no JSON fails."""
    return [json.loads(line) for line in server.log.splitlines()]


# A new connection each time, as probes make them: either worker may have it.
outsider = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=DEADLINE)


# Health


def health(server, **headers):
    """Status, and which parts fail."""
    began = time.monotonic()
    answer = outsider.get(f"{server.url}/healthz", headers=headers)
    assert time.monotonic() - began < PROMPT
    checks = answer.json()["checks"]
    return answer.status_code, {part for part in checks if checks[part]["status"] != "ok"}


def well(server):
    """Both workers are asked: new connections go to either."""
    wait_until(lambda: all(health(server) == (200, set()) for _ in range(6)), "all to be well")


def test_a_probe_needs_no_known_name(server):
    well(server)
    assert health(server, Host="10.0.0.7") == (200, set())


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_without_redis_health_says_so_and_with_it_again_too(server, redis, fault):
    well(server)
    getattr(redis, fault)()
    try:
        wait_until(lambda: health(server) == (503, {"broker"}), "the broker to fail")
    finally:
        redis.thaw() if fault == "freeze" else redis.start()
    well(server)


@pytest.mark.parametrize("fault", ["hold", "refuse"])
def test_without_the_database_health_is_answered_all_the_same(server, network, fault):
    well(server)
    getattr(network, fault)()
    try:
        wait_until(lambda: "database" in health(server)[1], "the database to fail")
        wait_until(lambda: all(health(server)[0] == 503 for _ in range(6)), "both to notice")
    finally:
        network.release() if fault == "hold" else network.accept()
    well(server)


# Figures


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


def test_without_the_token_nobody_reads_them(server):
    for headers in ({}, {"Authorization": f"Bearer {TOKEN}x"}):
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


# Who is connected


@pytest.fixture
def admin(server):
    """The admin's list of connections, as a superuser has it."""
    with httpx.Client(base_url=server.url, timeout=DEADLINE, follow_redirects=True) as client:
        client.get("/admin/login/")
        post(client, "/admin/login/", username="root", password="realtime")
        yield client


def post(client, path, **data):
    data["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
    answer = client.post(path, data=data, headers={"Referer": str(client.base_url)})
    answer.raise_for_status()
    return answer.text


def connected(admin, name):
    page = admin.get("/admin/realtime/stream/", params={"q": name}).text
    return re.findall(r'name="_selected_action" value="(\d+)"', page)


def order(admin, server, action, name, count):
    """Ends the connections of somebody, once the list has all."""
    wait_until(lambda: len(connected(admin, name)) == count, "the list to be complete")
    chosen = connected(admin, name)
    return post(admin, "/admin/realtime/stream/", action=action, _selected_action=chosen)


def test_a_kick_ends_connections_on_every_worker_and_they_may_come_back(server, streams, admin):
    well(server)
    opened = streams("alice")
    order(admin, server, "kick", "alice", len(opened))
    for stream in opened:
        assert stream.rest()[-1].retry
    with closing(Stream(server.url, ["private-todo-list.1"], token=server.token())) as stream:
        stream.opened()
    reasons = [line["reason"] for line in lines(server) if "reason" in line]
    assert reasons.count("kicked") >= len(opened)


def test_a_kick_closes_a_websocket_that_shows_its_channels(server, admin):
    well(server)
    with Client(server, token=server.token("bob")) as client:
        client.established()
        client.subscribe("private-todo-list.1")
        found = "private-todo-list.1"
        wait_until(lambda: len(connected(admin, found)) == 1, "the socket's channels to be known")
        order(admin, server, "kick", found, 1)
        assert client.closed() == 4100


def test_a_revoked_token_is_over_everywhere(server, streams, admin):
    well(server)
    token = server.token("bob")
    opened = streams("bob")
    # One of them is enough: the others rest on the same token.
    wait_until(lambda: len(connected(admin, "bob")) == len(opened), "the list to be complete")
    chosen = connected(admin, "bob")[:1]
    post(admin, "/admin/realtime/stream/", action="revoke", _selected_action=chosen)
    for stream in opened:
        assert stream.rest()[-1].event == "stream-error"
    headers = {"Authorization": f"Token {token}"}
    answer = outsider.get(f"{server.url}/api/todo-lists/", headers=headers)
    assert answer.status_code == 401


# Commands


@contextmanager
def tail(server, *arguments):
    """The command, running; its lines."""
    command = [sys.executable, "-u", str(ROOT / "manage.py"), "realtime_tail", *arguments]
    process = subprocess.Popen(
        command, env=server.environ, cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_tail_follows_what_others_write_and_ends_by_ctrl_c(server):
    with server.client() as client:
        (row,) = server.query("SELECT seq, nonce FROM realtime_head")
        since = f"{row[0]}-{row[1]}"
        with tail(server, "private-todo-list.1", "--since", since, "--json") as process:
            client.patch("/api/todo-items/1/", json={"text": "after"}).raise_for_status()
            # What was written just before may have got its number only now.
            while (told := json.loads(process.stdout.readline()))["data"].get("text") != "after":
                pass
            assert told["event"] == "todo-item.updated"
            assert told["channel"] == "private-todo-list.1"
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=DEADLINE)
            assert (process.returncode, output, errors) == (0, "", "")


@pytest.mark.parametrize("options", [[], ["--ephemeral"]])
def test_trigger_reaches_open_streams(server, options):
    well(server)
    stream = Stream(server.url, ["private-todo-list.1"], token=server.token()).opened()
    with closing(stream):
        arguments = ["private-todo-list.1", "noted", '{"n": 1}', *options]
        assert "Sent noted" in server.manage("realtime_trigger", *arguments)
        kind, message = stream.change()
        assert (kind, message["data"]) == ("noted", {"n": 1})


# docs/operations.md


def console(document):
    """Each command of the console blocks in order, and what it prints there."""
    for block in re.findall(r"```console\n(.*?)```", document, re.S):
        for step in block.removeprefix("$ ").split("\n$ "):
            command, _, output = step.partition("\n")
            yield command, output


def fits(output, expected):
    """Whether something was printed as the document says; … stands for anything."""
    pattern = ".*?".join(map(re.escape, expected.strip().split("…")))
    return re.fullmatch(pattern, output.strip().replace("\r", ""), re.S)


def test_the_document_s_commands_do_what_it_says(server):
    well(server)
    (row,) = server.query("SELECT seq, nonce FROM realtime_head")
    since = f"SINCE={row[0]}-{row[1]}"
    steps = list(console((ROOT / "docs" / "operations.md").read_text()))
    assert len(steps) >= 10
    for command, expected in steps:
        if command.startswith("SINCE="):
            continue
        line = command.replace("localhost:8000", server.url.removeprefix("http://"))
        line = line.replace("python manage.py", f"{sys.executable} manage.py")
        environ = server.environ | {"SINCE": since.partition("=")[2]}
        answer = subprocess.run(
            line, shell=True, env=environ, cwd=ROOT, check=False, capture_output=True, text=True
        )
        assert answer.returncode == 0, (line, answer.stdout, answer.stderr)
        assert fits(answer.stdout, expected), (line, answer.stdout)
