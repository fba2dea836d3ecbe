"""A start that goes wrong says so in one line, and neither loops nor hides why."""

import os
import re
import subprocess
import sys

import httpx
import pytest

from tests.servers import ROOT, Server, wait_until, web_command
from tests.services import Postgres


@pytest.fixture
def unready(tmp_path):
    """Makes servers that are not expected to answer; they end with the test."""
    servers = []

    def make(**environ):
        server = Server(tmp_path, **environ)
        servers.append(server)
        with (tmp_path / "server.log").open("ab") as log:
            server.process = subprocess.Popen(
                web_command(), env=server.environ, cwd=ROOT, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        return server

    yield make
    for server in servers:
        server.stop()


def lines(server, text):
    return [line for line in server.log.splitlines() if text in line]


def test_a_database_that_was_not_migrated_ends_the_start(unready):
    server = unready()
    assert server.wait(30) != 0
    (line,) = lines(server, "The database lacks")
    assert "python manage.py migrate" in line
    assert "Traceback" not in server.log


def test_one_migration_that_is_missing_ends_the_start_too(unready, database_template, tmp_path):
    server = Server(tmp_path)
    server.database.write_bytes(database_template.read_bytes())
    server.manage("migrate", "compare", "zero", "--verbosity", "0")
    server = unready()
    assert server.wait(30) != 0
    assert len(lines(server, "The database lacks 1 migration, from compare.0001_initial on")) == 1


def test_a_file_that_is_no_database_ends_the_start(unready, tmp_path):
    (tmp_path / "db.sqlite3").write_bytes(b"no database " * 1000)
    server = unready()
    assert server.wait(30) != 0
    (line,) = lines(server, "SQLite can't use")
    assert str(tmp_path) in line
    assert "Traceback" not in server.log


def test_postgresql_is_waited_for_in_one_line(unready, fresh_postgres: Postgres, make_server):
    url = make_server(fresh_postgres).environ["DATABASE_URL"]
    fresh_postgres.stop()
    server = unready(DATABASE_URL=url)

    def answers(status):
        try:
            return httpx.get(f"{server.url}/api/events/", timeout=10).status_code == status
        except httpx.TransportError:
            return False

    wait_until(lambda: answers(503), "the server to say that it can't serve")
    accept = {"Accept": "text/event-stream"}
    stream = httpx.get(f"{server.url}/api/events/?channel=x", headers=accept, timeout=10)
    assert stream.status_code == 200
    assert re.fullmatch(r"retry: [0-9]+\n\n", stream.text)
    (line,) = lines(server, "waiting for it")
    assert "Connection refused" in line
    assert "Traceback" not in server.log
    assert not lines(server, "psycopg.pool")
    fresh_postgres.start()
    wait_until(lambda: answers(400), "the server to serve")
    assert len(server.workers) == 1


def test_a_refused_password_is_named_in_one_line(unready, postgres):
    server = unready(DATABASE_URL=postgres.url("there_is_none"))
    wait_until(lambda: lines(server, "waiting for it"), "the reason")
    (line,) = lines(server, "waiting for it")
    assert 'database "there_is_none" does not exist' in line


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS must be set when DEBUG is off"),
        ({"PORT": "65536"}, "PORT is '65536': it must be a whole number from 0 to 65535"),
        ({"DATABASE_URL": "mysql://a:b@c/d"}, "DATABASE_URL is wrong: it must be a URL"),
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set when DEBUG is off"),
    ],
)
def test_a_wrong_setting_is_all_that_is_printed(unready, environ, line):
    server = unready(**environ)
    assert server.wait(30) == 1
    (printed,) = server.log.splitlines()
    assert printed.startswith(f"Wrong settings: {line}")


def test_a_command_says_in_one_line_why_there_is_no_database(postgres):
    environ = os.environ | {
        "DJANGO_SETTINGS_MODULE": "api.settings",
        "DEBUG": "1",
        "DATABASE_URL": postgres.url("there_is_none"),
    }
    command = [sys.executable, "manage.py", "migrate"]
    answer = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 1
    (line,) = answer.stderr.splitlines()
    assert line.startswith("The database can't be used: ")
    assert line.endswith('database "there_is_none" does not exist')
    assert answer.stdout == ""
