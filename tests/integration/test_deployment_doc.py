"""docs/deployment.md, as far as it can be held against the code; what it promises of nginx and
PgBouncer is tested with these, in ``tests/e2e/test_deployment.py``."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from realtime import brokers
from tests.fronts import DEPLOYMENT, document_block
from tests.servers import ROOT

DOCUMENT = DEPLOYMENT.read_text()
CONSOLES = "".join(re.findall(r"```console\n(.*?)```", DOCUMENT, re.S))
HOME = "/srv/todos"
UNITS = ("todos.service", "todos.socket")


def unit(name):
    return document_block("ini", f"# /etc/systemd/system/{name}")


def lines_of(text, *names):
    return [line.partition("=")[2] for line in text.splitlines() if line.split("=")[0] in names]


def documented_variables():
    rows = re.findall(r"^\| (`[A-Z][^|]*) \|", (ROOT / "README.md").read_text(), re.M)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_variable_it_sets_is_one():
    set_by_table = re.findall(r"^\| (`[A-Z_`, ]+`) \|", DOCUMENT, re.M)
    set_by_shell = re.findall(r"(?:^|config:set |[ `])([A-Z]+_[A-Z_]+)=", DOCUMENT, re.M)
    named = {name for row in set_by_table for name in re.findall(r"`(\w+)`", row)}
    assert {"SECRET_KEY", "DATABASE_URL", "WEB_CONCURRENCY"} <= named
    # An option of Django's for a database, and not a variable.
    assert (named | set(set_by_shell)) - {"DISABLE_SERVER_SIDE_CURSORS"} <= documented_variables()


def test_every_management_command_exists():
    # `todos` is the script that the document itself writes.
    named = set(re.findall(r"manage\.py ([a-z_]+)|^# todos ([a-z_]+)", DOCUMENT, re.M))
    named = {command or other for command, other in named}
    assert {"migrate", "createsuperuser", "collectstatic", "realtime_prune"} <= named
    assert named <= set(get_commands())


def test_the_procfile_does_what_it_says():
    processes = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    assert set(processes) == {"release", "web"}
    assert processes["release"] == "python manage.py migrate --noinput"
    assert processes["web"] in lines_of(unit("todos.service"), "ExecStart")[0]


def test_the_unit_s_commands_exist():
    service = unit("todos.service")
    assert lines_of(service, "WorkingDirectory") == [HOME]
    commands = lines_of(service, "ExecStartPre", "ExecStart")
    assert len(commands) == 2
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program.startswith(f"{HOME}/.venv/bin/")
        assert Path(sys.executable).with_name(Path(program).name).exists()
        assert "manage.py" not in arguments or (ROOT / "manage.py").exists()


def test_the_unit_and_nginx_speak_of_one_port():
    (listening,) = lines_of(unit("todos.socket"), "ListenStream")
    site = document_block("nginx", "# /etc/nginx/sites-available/todos")
    assert set(re.findall(r"proxy_pass http://([^;]+);", site)) == {listening}


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path):
    for name in UNITS:
        (tmp_path / name).write_text(unit(name).replace(HOME, str(tmp_path)))
    # What it calls, and as whom, must be there.
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for command in lines_of(unit("todos.service"), "ExecStartPre", "ExecStart"):
        program = programs / Path(shlex.split(command)[0]).name
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    answer = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / name for name in UNITS)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (answer.returncode, answer.stderr) == (0, "")


def test_its_script_is_one():
    script = document_block("sh", "#!/bin/sh\n# /usr/local/bin/todos")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)
    assert "/usr/local/bin/todos" in CONSOLES


@pytest.mark.parametrize(
    "url", ["", "redis://redis.example.org:6379/0", "postgres://db.example.org/todos"]
)
def test_the_brokers_describe_themselves_as_it_says(url):
    assert f"Broker: {brokers.connect(url, 'topic').describe()}.`" in DOCUMENT


def test_the_messages_that_it_explains_are_in_the_code():
    table = DOCUMENT.partition("## When it does not start")[2]
    messages = re.findall(r"^\| `([^`]*)` \|", table, re.M)
    assert len(messages) >= 6
    sources = [*ROOT.glob("realtime/**/*.py"), *ROOT.glob("api/*.py"), ROOT / "gunicorn.conf.py"]
    code = "".join(path.read_text() for path in sources)
    for message in messages:
        fixed = re.split(r"…|\d", message)[0].strip(" :,")
        # The line about a port that is taken is gunicorn's own.
        known = (code, code.replace("Can't %s the broker", "Can't listen to the broker"))
        assert any(fixed in text for text in known) or fixed == "Connection in use", fixed
