"""docs/beyond-the-list.md: a project that goes on where docs/getting-started.md ends; its pages
under a Content-Security-Policy without exceptions."""

import re
import subprocess

import httpx
import pytest
from playwright.sync_api import expect

from tests.own_project import OwnProject, blocks, commands, files
from tests.ports import DEADLINE, wait_until

DOCUMENT = "beyond-the-list.md"
BEFORE = "getting-started.md"
POLICY = "default-src 'self'"
MIDDLEWARE = f'''
def policy(get_response):
    def answer(request):
        response = get_response(request)
        if "/notes/" in request.path and "/api/" not in request.path:
            response["Content-Security-Policy"] = "{POLICY}"
        return response
    return answer
'''
SETTINGS = """
MIDDLEWARE += ["mysite.policy.policy"]
AUTH_PASSWORD_VALIDATORS = []
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
"""
FILL = """
from django.contrib.auth.models import User
from notes.models import Note
User.objects.create_superuser("alice", password="realtime")
User.objects.create_superuser("bob", password="realtime", first_name="Bob", last_name="Bee")
Note.objects.create(text="Milk")
"""


@pytest.fixture(scope="module")
def project(packages, tmp_path_factory):
    """What both documents' files come to."""
    folder = tmp_path_factory.mktemp("beyond")
    project = OwnProject(folder / "mysite", packages)
    start, _, startapp, startrealtime, makemigrations, migrate, *_ = commands(BEFORE)[1:]
    project.run(*start, folder=folder)
    project.run(*startapp)
    for name, text in files(BEFORE).items():
        if name not in ("notes/realtime.py", "notes/viewsets.py"):
            project.write(name, text)
    project.run(*startrealtime)
    for name, text in files(DOCUMENT).items():
        project.write(name, text)
    (shown,) = (code for code in blocks(DOCUMENT, "python") if "user_info" in code)
    project.write("notes/realtime.py", files(DOCUMENT)["notes/realtime.py"] + "\n\n" + shown)
    project.write("mysite/policy.py", MIDDLEWARE)
    project.write("mysite/settings.py", SETTINGS)
    for command in (makemigrations, migrate, ["python", "manage.py", "shell", "-v0", "-c", FILL]):
        project.run(*command)
    assert "no issues" in project.manage("check")
    return project


@pytest.fixture(scope="module")
def server(project):
    with project.serving(*commands(BEFORE)[-1], "--bind", "{address}") as url:
        yield url


@pytest.fixture
def api(server):
    with httpx.Client(base_url=server, auth=("alice", "realtime"), timeout=DEADLINE) as client:
        client.patch("/api/notes/1/", json={"text": "Milk"}).raise_for_status()
        yield client


@pytest.fixture
def visit(server, browser):
    """Opens a page as somebody; fails if the browser complains of anything."""
    contexts, complaints = [], []

    def visit(name, path):
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{server}/admin/login/?next={path}")
        page.on("console", lambda one: complaints.append(f"{one.text} {one.location['url']}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.fill("#id_username", name)
        page.fill("#id_password", "realtime")
        page.click("[type=submit]")
        page.wait_for_url(f"{server}{path}")
        return page

    yield visit
    for context in contexts:
        context.close()
    # Browsers report any answer that is no success. A refused save is one; and these pages have no
    # icon, which browsers ask for when they please.
    expected = ("a status of 412", "/favicon.ico")
    assert [text for text in complaints if not any(one in text for one in expected)] == []


def shows(page, selector, text):
    expect(page.locator(selector)).to_have_text(text, timeout=DEADLINE * 1000)


def editors(api):
    (found,) = [api.get("/api/notes/1/editing/").json()["editors"]]
    return [one["info"]["name"] for one in found]


def test_the_commands_print_what_the_document_says(server, api):
    assert api.get("/api/notes/1/presence/").json()["members"] == []
    steps = 0
    for block in blocks(DOCUMENT, "console"):
        for step in block.removeprefix("$ ").split("\n$ "):
            command, _, expected = step.partition("\n")
            line = command.replace("localhost:8000", server.removeprefix("http://"))
            line = line.replace('"$AUTH"', "alice:realtime")
            answer = subprocess.run(line, shell=True, check=True, capture_output=True, text=True)
            pattern = ".*?".join(map(re.escape, expected.strip().split("…")))
            pattern = pattern.replace('"version":0', r'"version":\d+')
            assert re.fullmatch(pattern, answer.stdout.strip()), (line, answer.stdout)
            steps += 1
    assert steps == 6


def test_two_who_look_at_a_note_see_each_other(api, visit):
    alice = visit("alice", "/notes/1/")
    shows(alice, "#members", "alice")
    bob = visit("bob", "/notes/1/")
    for page in (alice, bob):
        shows(page, "#members", "alice, Bob Bee")
    bob.context.close()
    shows(alice, "#members", "alice")


def test_who_edits_is_shown_and_nobody_overwrites_what_they_have_not_seen(api, visit):
    alice, bob = visit("alice", "/notes/1/"), visit("bob", "/notes/1/")
    for page in (alice, bob):
        expect(page.locator("[name=text]")).to_have_value("Milk", timeout=DEADLINE * 1000)
    alice.focus("[name=text]")
    for page in (alice, bob):
        shows(page, "#editors", "alice")
    bob.focus("[name=text]")
    for page in (alice, bob):
        shows(page, "#editors", "alice, Bob Bee")
    bob.fill("[name=text]", "Bread")
    bob.click("button")
    shows(bob, "output", "Saved.")
    shows(alice, "#editors", "alice")
    alice.fill("[name=text]", "Rye")
    alice.click("button")
    shows(alice, "output", 'Somebody has saved "Bread". Save again to overwrite it.')
    assert api.get("/api/notes/1/").json()["text"] == "Bread"
    alice.click("button")
    shows(alice, "output", "Saved.")
    expect(bob.locator("[name=text]")).to_have_value("Rye", timeout=DEADLINE * 1000)
    shows(bob, "#editors", "")


def test_a_form_shows_who_has_it_open_until_it_is_saved_or_left(api, visit):
    alice, bob = (visit(name, "/notes/1/edit/") for name in ("alice", "bob"))
    shows(bob, "#editors", "alice, Bob Bee")
    shows(alice, "#editors", "alice, Bob Bee")
    # One that is refused goes on in the same tab.
    tab = alice.locator("[name=editing]").input_value()
    alice.evaluate("document.querySelector('form').noValidate = true")
    alice.fill("[name=text]", " ")
    alice.click("button")
    shows(alice, ".errorlist", "This field is required.")
    assert alice.locator("[name=editing]").input_value() == tab
    assert editors(api) == ["alice", "Bob Bee"]
    alice.fill("[name=text]", "Rolls")
    alice.click("button")
    shows(bob, "#editors", "Bob Bee")
    assert api.get("/api/notes/1/").json()["text"] == "Rolls"
    bob.goto("about:blank")
    wait_until(lambda: editors(api) == [], "the end of the last one")


def test_a_form_that_stays_open_says_so_again(api, visit):
    alice = visit("alice", "/notes/1/edit/")
    alice.clock.install()
    alice.reload()
    with alice.expect_request(lambda one: one.method == "POST", timeout=DEADLINE * 1000) as asked:
        alice.clock.fast_forward(10_000)
    assert "?editing=" in asked.value.url
    answer = asked.value.response()
    assert answer.status == 200
    assert [one["info"]["name"] for one in answer.json()["editors"]] == ["alice"]


def test_the_browsable_api_is_live(api, visit):
    page = visit("alice", "/api/notes/1/")
    expect(page.locator("[data-live=state]")).to_have_text("live", timeout=DEADLINE * 1000)


AROUND = """
from django.contrib.auth.models import User
from notes.models import Note
note, user = Note.objects.get(), User.objects.get(username="alice")
{called}
print([person.as_dict() for person in people], members)
"""


def test_the_functions_do_what_the_document_says(project):
    (called,) = [code for code in blocks(DOCUMENT, "python") if "marks.begin" in code]
    printed = project.manage("shell", "-v0", "-c", AROUND.format(called=called))
    assert printed.strip() == "[{'id': '1', 'info': {'name': 'alice'}}] {}"
