"""Management commands, and those of docs/operations.md."""

import json
import re
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from tests.e2e.operations.conftest import well
from tests.servers import DEADLINE, ROOT
from tests.streams import Stream


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
