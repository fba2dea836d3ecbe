"""The commands: what they take, and what they say."""

import ast
import io
import json
import re
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

import realtime
from realtime import log, models, probes
from realtime.brokers import connect
from realtime.events import Event
from realtime.operations import doctor, outside, tail
from realtime.operations.findings import OK, PROBLEM, WARNING
from tests.logged import logged

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = io.StringIO()
    call_command(*arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.fixture
def written():
    return logged(Event(channel, "x", f'"{n}\u009b\u2028"') for n, channel in enumerate("abab"))


def test_tail_shows_a_line_for_each_event_and_no_other_channel_s(written):
    told = run("realtime_tail", "a", "--since", str(log.extent().floor), "--limit", "2")
    first, second = told.splitlines()
    assert first.startswith(f"{written[0].id}  a  x  ")
    assert second.startswith(f"{written[2].id}  a  x  ")
    assert told.replace("\n", "").isprintable()


def test_tail_as_json_is_what_clients_get(written):
    logged([Event("a", "y", "1", ("z",), "m")])
    told = run("realtime_tail", "a", "--since", str(written[-1].id), "--limit", "1", "--json")
    assert json.loads(told) == {
        "id": str(log.head()),
        "event": "y",
        "channel": "a",
        "data": 1,
        "changed": ["z"],
        "mutation": "m",
    }


def test_tail_begins_now_and_keeps_to_itself_what_workers_say(written):
    def pause(seconds):
        logged([Event("realtime.control", "recheck", "[]"), Event("a", "later", "1")])

    first = next(tail.follow(None, [], pause))
    assert first.type == "later"


def test_tail_says_when_something_may_be_missing(written):
    def pause(seconds):
        logged([Event("a", "unseen", "1")])
        log.prune(max_events=0)
        logged([Event("a", "seen", "1")])

    following = tail.follow(None, ["a"], pause)
    assert "pruned" in next(following).text


@pytest.mark.parametrize(("arguments", "said"), [
    (["realtime_tail"], "Name the channels"),
    (["realtime_tail", "a", "b", "--all"], "a b and --all were both given"),
    (["realtime_tail", "a b"], "A channel's name"),
    (["realtime_tail", "a", "--since", "1"], "--since takes"),
    (["realtime_tail", "a", "--since", "9-12345678"], "not of this log"),
    (["realtime_tail", "a", "--limit", "0"], "above 0"),
    (["realtime_trigger", "a", "x", "{"], "not JSON"),
    (["realtime_trigger", "a", "x", "NaN"], "not JSON"),
    (["realtime_trigger", "a b", "x"], "A channel's name"),
    (["realtime_trigger", "a", "pusher:x"], "belongs to the protocol"),
    (["realtime_trigger", "a", "x", "--ephemeral"], "no broker"),
    (["realtime_prune", "--max-age", "-1"], "can be negative"),
    (["realtime_prune", "--max-age", "nan"], "a number of seconds"),
    (["realtime_prune", "--max-age", "1e300"], "more seconds"),
    (["realtime_doctor", "example.org"], "no address"),
    (["realtime_doctor", "http://x:99999"], "no address"),
    (["realtime_doctor", "http://x", "--patience", "0"], "above 0"),
])  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(arguments, said):
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("command", ["realtime_prune", "realtime_doctor"])
def test_a_wrong_setting_is_said_in_one_line(settings, command, capsys):
    settings.REALTIME_LOG_MAX_AGE = settings.REALTIME_KEEP_ALIVE = "x"
    with pytest.raises(CommandError) as caught:
        run(command)
    assert "\n" not in str(caught.value)


def test_trigger_logs_its_data_as_it_is():
    assert run("realtime_trigger", "a", "x", '{"n": [1, null]}') == "Sent x to a.\n"
    row = models.Event.objects.get()
    assert (row.channel, row.type, json.loads(row.data)) == ("a", "x", {"n": [1, None]})


def test_prune_forecasts_what_it_then_does(written):
    assert run("realtime_prune", "--max-events", "1", "--dry-run") == (
        "Would delete 3 events. 1 remains.\n"
    )
    assert models.Event.objects.count() == 4
    assert run("realtime_prune", "--max-events", "1") == "Deleted 3 events. 1 remains.\n"
    assert run("realtime_prune", "--dry-run") == "Would delete 0 events. 1 remains.\n"


# The doctor, inside


def found(subject=None):
    return [one for one in doctor.examine() if subject in (None, one.subject)]


def test_it_finds_nothing_wrong_with_an_empty_log():
    assert [one for one in found() if one.level == PROBLEM] == []
    assert found("database")[0].level == OK


def test_it_notices_events_that_nobody_numbers(postgres_log):
    log.append([Event("a", "x", "1")])
    assert [one.level for one in found("log")] == [OK]
    models.Event.objects.update(created_at="2020-01-01T00:00:00Z")
    assert found("log")[-1].level == PROBLEM


def test_it_notices_tables_that_were_not_restored_together(written):
    models.Head.objects.update(seq=2)
    assert "restored together" in found("log")[-1].text


def test_it_notices_a_log_that_is_not_pruned(written, settings):
    settings.REALTIME_LOG_MAX_EVENTS = 1
    assert [one.level for one in found("log")] == [OK]
    models.Head.objects.update(seq=5000)
    assert found("log")[-1].level == WARNING


def test_it_reports_write_paths_that_are_not_covered(monkeypatch):
    from realtime.publishing.publisher import registry

    monkeypatch.setattr(type(next(iter(registry))), "follows", {})
    assert any(one.subject.startswith("realtime.") for one in found())


def test_it_names_the_variable_that_says_where_the_broker_is(monkeypatch, settings):
    monkeypatch.setattr(doctor.sequencer, "broker", lambda: connect(url, "topic"))
    cases = {
        "": ("database", "settings"),
        "redis://127.0.0.1:1": ("REALTIME_BROKER_URL", "Redis"),
        "postgres://nobody:x@127.0.0.1:1/x": ("REALTIME_BROKER_URL", "PostgreSQL"),
    }
    for configured, (variable, server) in cases.items():
        url = configured or "postgres://nobody:x@127.0.0.1:1/x"
        if configured:
            settings.REALTIME_BROKER_URL = configured
        (finding,) = found("broker")
        assert finding.level == PROBLEM
        assert finding.text.startswith("It can't be reached: ")
        assert finding.text.endswith("Connection refused.")
        assert variable in finding.advice
        assert server in finding.advice


def test_it_says_who_may_read_the_figures(settings):
    for debug, who in ((False, "staff that is logged in."), (True, "everybody, for DEBUG is on.")):
        settings.DEBUG = debug
        assert any(one.text.endswith(who) for one in found("settings"))


@pytest.mark.urls("realtime.urls")
def test_it_says_that_nobody_may_read_figures_that_are_not_there(settings):
    (told,) = found("settings")
    assert (told.level, told.text.partition(":")[0]) == (OK, "There is no /metrics")
    settings.REALTIME_METRICS_TOKEN = "of-sixteen-characters"
    assert found("settings") == []


def test_it_says_what_figures_lack(monkeypatch):
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    (told,) = found("settings")
    assert told.level == WARNING
    assert "prometheus_client" in told.text


def test_a_server_that_is_not_there_is_a_problem():
    (finding,) = outside.examine("http://127.0.0.1:1", 1)
    assert finding.level == PROBLEM
    assert finding.text == "It can't be reached: Connection refused."


def test_what_is_said_names_settings_of_this_package():
    """What the environment is called is another project's own affair."""
    foreign = ("REDIS_URL", "DATABASE_URL", "DATABASE_POOL_SIZE", "WEB_CONCURRENCY")
    folder = Path(realtime.__file__).parent
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                assert not re.search(rf"\b({'|'.join(foreign)})\b", node.value), (path, node.value)


# What the doctor tries things out by


def test_a_probe_s_channel_is_good_for_a_while(monkeypatch):
    name = probes.name()
    assert probes.admits(name)
    monkeypatch.setattr(probes.time, "time", lambda: 2e9)
    assert not probes.admits(name)


@pytest.mark.parametrize("change", [
    lambda name: name[:-1] + ("0" if name[-1] != "0" else "1"),
    lambda name: name.replace("realtime-probe.", "realtime-probe.0", 1),
    lambda name: "realtime-probe.",
    lambda name: "realtime-probe..",
    lambda name: "news",
])  # fmt: skip
def test_nobody_makes_one_without_the_key(change):
    assert not probes.admits(change(probes.name()))
