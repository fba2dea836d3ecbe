"""Another project, by docs/getting-started.md alone: with the wheel, and without anything else of
this repository or of what only extras bring."""

import importlib.metadata
import json
import re

import httpx
import pytest
from playwright.sync_api import expect

from tests.own_project import OwnProject, blocks, commands, files
from tests.ports import DEADLINE, free_port
from tests.streams import Stream

DOCUMENT = "getting-started.md"
WRITTEN = ("realtime.py", "serializers.py", "viewsets.py", "urls.py", "test_realtime.py")


@pytest.fixture(scope="module")
def project(packages, tmp_path_factory):
    """The project as it is after the document's steps, up to the server."""
    folder = tmp_path_factory.mktemp("own")
    project = OwnProject(folder / "mysite", packages)
    documented = files(DOCUMENT)
    typed = commands(DOCUMENT)
    start, _, startapp, startrealtime, *rest = typed[1:]
    project.run(*start, folder=folder)
    project.run(*startapp)
    generated = {f"notes/{name}" for name in WRITTEN}
    for name in documented.keys() - generated:
        project.write(name, documented[name])
    printed = project.run(*startrealtime)
    assert all(f"Wrote notes/{name}" in printed for name in WRITTEN)
    for command in rest[:-1]:
        noinput = ["--noinput"] if "createsuperuser" in command else []
        printed = project.run(*command, *noinput)
        if "test" in command:
            assert re.search(r"Ran 3 tests .*OK", printed, re.S), printed
    return project


@pytest.fixture(scope="module")
def server(project):
    """What the document's last command serves."""
    command = commands(DOCUMENT)[-1]
    assert command[0] == "gunicorn"
    with project.serving(*command, "--bind", "{address}") as url:
        yield url


def logged_in(url):
    return httpx.Client(base_url=url, auth=("alice", "realtime"), timeout=DEADLINE)


def with_password(url):
    return url.replace("://", "://alice:realtime@")


def test_the_document_shows_what_the_command_writes(project):
    for name, text in files(DOCUMENT).items():
        if name.startswith("notes/") and name[6:] in WRITTEN:
            assert (project.folder / name).read_text() == text, name


def test_a_write_arrives_on_a_stream_and_is_resumed_over(server):
    with logged_in(server) as api:
        link = api.get("/api/notes/").links["stream"]
        position = link["last-event-id"]
        with Stream(with_password(server), ["private-notes"], last_event_id=position) as stream:
            stream.opened()
            made = api.post("/api/notes/", json={"text": "Milk"}).json()
            kind, message = stream.change()
            assert (kind, message["data"]) == ("note.created", made)
        api.patch(f"/api/notes/{made['id']}/", json={"text": "Bread"})
        resumed = Stream(
            with_password(server), ["private-notes"], last_event_id=stream.last_event_id
        )
        with resumed:
            kind, message = resumed.opened().change()
            assert (kind, message["changed"]) == ("note.updated", ["text"])


def test_a_stream_takes_a_login(server):
    answer = httpx.get(f"{server}/api/events/?channel=private-notes", timeout=DEADLINE)
    assert answer.status_code in (401, 403)


def test_the_list_is_live_in_two_browsers(server, browser):
    pages = []
    for _ in range(2):
        page = browser.new_context().new_page()
        page.goto(server)
        page.fill("#id_username", "alice")
        page.fill("#id_password", "realtime")
        page.click("[type=submit]")
        expect(page.locator("h1")).to_have_text("Notes")
        pages.append(page)
    one, other = pages
    one.fill("[name=text]", "for both")
    one.click("button")
    for page in pages:
        expect(page.locator("li").last).to_have_text("for both", timeout=DEADLINE * 1000)
    other.fill("[name=text]", "and back")
    other.click("button")
    expect(one.locator("li").last).to_have_text("and back", timeout=DEADLINE * 1000)
    for page in pages:
        page.context.close()


def test_without_its_extra_metrics_say_what_they_need(project):
    token = "a-token-of-these-tests"
    copy = project.copy("measured")
    copy.write("mysite/settings.py", f'REALTIME_METRICS_TOKEN = "{token}"\n')
    command = commands(DOCUMENT)[-1]
    with copy.serving(*command, "--bind", "{address}") as url:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{url}/metrics", headers=headers, timeout=DEADLINE)
        assert answer.status_code == 501
        assert answer.json()["detail"].endswith("Install this package with the extra `metrics`.")
        assert httpx.get(f"{url}/healthz", timeout=DEADLINE).status_code == 200
        # This project has no view for staff.
        headers = {"Authorization": f"Bearer {token}x"}
        answer = httpx.get(f"{url}/metrics", headers=headers, timeout=DEADLINE)
        assert answer.status_code == 401
        assert answer.json() == {"detail": "This is not the REALTIME_METRICS_TOKEN."}
        assert httpx.get(f"{url}/metrics", timeout=DEADLINE).status_code == 404


def test_the_doctor_needs_nothing_else(server, project):
    printed = project.manage("realtime_doctor", server, "--patience", "3")
    assert "Last-Event-ID gets through" in printed


@pytest.mark.parametrize(("url", "needed"), [
    ("redis://localhost", "redis"),
    ("postgres://localhost", "psycopg"),
])  # fmt: skip
def test_what_a_setting_needs_is_said_without_a_traceback(project, url, needed):
    program = (
        f"import mysite.settings as own; own.REALTIME_BROKER_URL = {url!r};"
        "from django.core.management import execute_from_command_line as run;"
        "run(['manage.py', 'realtime_doctor', '--settings', 'mysite.settings'])"
    )
    printed = project.run("python", "-c", program, fails=True)
    assert "Traceback" not in printed
    told = f"broker: REALTIME_BROKER_URL needs {needed}, which is not installed. Install this"
    assert told in printed


def test_a_server_without_what_a_setting_needs_ends_and_says_so(project):
    copy = project.copy("lacking")
    copy.write("mysite/settings.py", 'REALTIME_BROKER_URL = "redis://localhost"\n')
    printed = copy.run(*commands(DOCUMENT)[-1], "--bind", f"127.0.0.1:{free_port()}", fails=True)
    assert "REALTIME_BROKER_URL needs redis, which is not installed." in printed
    assert "Traceback" not in printed


UNMIGRATED = (
    ("realtime_tail", "--all"),
    ("realtime_tail", "--all", "--since", "8-9e19b4d0"),
    ("realtime_trigger", "news", "headline"),
    ("realtime_prune",),
    ("realtime_prune", "--dry-run"),
)


def test_a_database_that_was_not_migrated_is_said_to_be_so(project):
    copy = project.copy("unmigrated")
    for path in copy.folder.glob("db.sqlite3*"):
        path.unlink()
    program = "\n".join([
        "from django.core.management import CommandError, call_command",
        f"for arguments in {UNMIGRATED}:",
        "    try:",
        "        call_command(*arguments)",
        "    except CommandError as error:",
        "        print(error)",
    ])  # fmt: skip
    printed = copy.manage("shell", "-v0", "-c", program).splitlines()
    assert len(printed) == len(UNMIGRATED)
    for line in printed:
        assert line.startswith("The database lacks ")
        assert line.endswith(" on. Run: python manage.py migrate")


def test_runserver_answers_with_what_is_new(project):
    command = ("python", "manage.py", "runserver", "--noreload", "{address}")
    headers = {"Accept": "text/event-stream"}
    with project.serving(*command) as url, logged_in(url) as api:
        position = api.get("/api/notes/").links["stream"]["last-event-id"]
        made = api.post("/api/notes/", json={"text": "by runserver"}).json()
        headers["Last-Event-ID"] = position
        answer = api.get("/api/events/?channel=private-notes", headers=headers)
        (data,) = re.findall("^data: (.*note.*)$", answer.text, re.M)
        assert json.loads(data)["data"] == made


# What can be wrong

LACKS = {
    "": [],
    'INSTALLED_APPS.remove("rest_framework")': ["realtime.E005"],
    'ROOT_URLCONF = "notes.urls"': ["realtime.W009"],
    "REALTIME_KEEP_ALIVE = 60": ["realtime.E007"],
    'REALTIME_BROKER_URL = "redis://localhost"': ["realtime.E008"],
    'REALTIME_BROKER_URL = "postgres://localhost"': ["realtime.E008"],
    'REALTIME_GRIP_URL = "http://localhost?key=secret"': ["realtime.E008"],
    'PUSHER_ENCRYPTION_MASTER_KEY = b"k" * 32': ["realtime.E008"],
    'PUSHER_KEY = "alone"': ["realtime.E011"],
    'REALTIME_METRICS_TOKEN = "of-sixteen-characters"': ["realtime.W012"],
    "REALTIME_KEEPALIVE = 5": ["realtime.W005"],
    'INSTALLED_APPS.remove("rest_framework"); INSTALLED_APPS.insert(0, "rest_framework")': [
        "realtime.W010"
    ],
    'DATABASES["default"]["OPTIONS"] = {}': ["realtime.E004"],
}
# One process for each change of the settings, and what all of them import only once.
CHECK = """
import json, os, sys
import django
import django.db.models
from django.conf import settings
from django.core.checks import run_checks
import mysite.settings as own

for change in json.loads(sys.argv[1]):
    if os.fork() == 0:
        values = {name: value for name, value in vars(own).items() if name.isupper()}
        exec(change, values)
        del values["__builtins__"]
        settings.configure(**values)
        django.setup()
        print([message.id for message in run_checks(databases=["default"])], flush=True)
        os._exit(0)
    os.wait()
"""


def test_a_project_is_told_what_it_lacks(project):
    project = project.copy("unfinished")
    project.write("notes/templates/rest_framework/base.html", "")
    printed = project.run("python", "-c", CHECK, json.dumps(list(LACKS)))
    assert printed.splitlines() == [str(ids) for ids in LACKS.values()]


def test_that_this_package_is_not_installed_is_said_in_one_line(project):
    copy = project.copy("uninstalled")
    copy.write("mysite/settings.py", 'INSTALLED_APPS.remove("realtime")\n')
    for command in ("check", "migrate"):
        (line,) = copy.manage(command, fails=True).splitlines()
        assert line.startswith("NotInstalled: realtime is not in INSTALLED_APPS")
        assert 'Add "realtime"' in line


# The other documents


def test_what_the_document_on_testing_shows_passes(project):
    for number, code in enumerate(blocks("testing.md", "python")):
        assert compile(code, f"example {number}", "exec")
        project.write(f"notes/test_example_{number}.py", code)
    printed = project.manage("test", "notes", "--pattern", "test_example_*.py")
    assert re.search(r"Ran [4-9] tests .*OK", printed, re.S), printed
    (configured,) = blocks("testing.md", "toml")
    project.write("pyproject.toml", configured)
    printed = project.run("pytest", "-q", "-p", "pytest_django.plugin", "notes")
    assert re.search(r"\d+ passed", printed), printed
    assert "failed" not in printed


def test_the_failures_that_the_document_on_testing_shows_are_so(project):
    (publishing, converging) = blocks("testing.md", "text")
    project.write("notes/failing.py", FAILING)
    printed = project.manage("test", "notes.failing", fails=True)
    for text in (publishing, converging):
        assert re.search(re.sub(r"\d+", r"\\d+", re.escape(text)), printed), printed


FAILING = """
from django.contrib.auth.models import User
from django.db import connection
from django.test import TestCase

from notes.models import Note
from realtime.testing import assert_converges, assert_publishes


class Failing(TestCase):
    def test_publishing(self):
        with assert_publishes(("private-notes", "note.created", {"text": "Milk"})):
            Note.objects.create(text="Mild").delete()

    def test_converging(self):
        self.client.force_login(User.objects.create_user("alice"))
        Note.objects.create(text="Milk")
        with connection.cursor() as cursor:
            unseen = lambda: cursor.execute("UPDATE notes_note SET text = 'Bread'")
            assert_converges(unseen, self.client, "/api/notes/")
"""


def test_the_wheel_has_what_it_needs_and_says_what(wheel, packages):
    (file,) = wheel.glob("*.whl")
    metadata = importlib.metadata.Distribution.at
    (info,) = packages.glob("*.dist-info")
    needed = metadata(info).requires
    assert [one.partition(">")[0] for one in needed if "extra" not in one] == [
        "Django",
        "djangorestframework",
    ]
    extras = set(metadata(info).metadata.get_all("Provides-Extra"))
    assert extras == {
        "gunicorn", "postgres", "redis", "pusher", "metrics", "grip", "eventstream",
    }  # fmt: skip
    top = {path.name for path in packages.iterdir()} - {info.name, "__pycache__"}
    assert top == {"realtime"}
    assert file.name.startswith("django_realtime_todos-")
    assert blocks(DOCUMENT, "console")
