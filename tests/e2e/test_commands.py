"""What is said in a shell when something is missing: one line, and what to do."""

import os
import subprocess
import sys
import uuid

import pytest

from tests.servers import ROOT


def run(*command, **environ):
    known = {name: text for name, text in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    answer = subprocess.run(
        [sys.executable, *command],
        env=known | {"DEBUG": "1"} | environ,
        cwd=ROOT, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert answer.returncode != 0
    return answer.stdout + answer.stderr


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "٣"])
def test_a_port_that_is_none_is_named(port):
    (line,) = run("scripts/free_port.py", PORT=port).splitlines()
    assert line.startswith(f"PORT={port} is no number from 1 to 65535.")


COMMANDS = (["demo"], ["realtime_prune"], ["realtime_tail", "--all"])


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_commands_on_a_database_that_was_not_migrated_say_what_to_run(tmp_path, command):
    check(command, f"sqlite:///{tmp_path}/db.sqlite3")


def test_so_they_do_on_postgresql(postgres):
    # Its drivers tell a missing table from a database that can't be used.
    check(["demo"], postgres.create(f"empty_{uuid.uuid4().hex}"))


def test_a_database_that_is_away_is_told_in_one_sentence():
    url = "postgres://nobody:x@127.0.0.1:1/x"
    (line,) = run("manage.py", "realtime_prune", DATABASE_URL=url).splitlines()
    assert line.startswith("CommandError: The database can't be used: ")
    assert line.endswith("Connection refused.")
    assert "?" not in line


def check(command, url):
    (line,) = run("manage.py", *command, DATABASE_URL=url).splitlines()
    assert line.endswith(". Run: python manage.py migrate")
