"""docs/cookbook.md: each of its recipes is run, as it is but for the server's address."""

import json
import runpy
import shutil

import httpx
import pytest

from tests.e2e.cookbook import BLOCKS, COMMANDS, FILES, PAGES, lay_out, needed
from tests.e2e.kitchen import Kitchen, Process
from tests.servers import wait_until

RECIPES = (*PAGES, "python")
WRITING = ("own", "react", "vue")


@pytest.fixture(scope="module")
def kitchen(make_server, tmp_path_factory, browser):
    needed()
    folder = tmp_path_factory.mktemp("cookbook")
    lay_out(folder)
    server = make_server(DJANGO_SETTINGS_MODULE="cookbook_settings", PYTHONPATH=str(folder))
    made = Kitchen(server, folder, browser)
    yield made
    made.close()


@pytest.fixture(scope="module")
def elsewhere(kitchen):
    """Another list of alice's."""
    return kitchen.api.post("/api/todo-lists/", json={"name": "Elsewhere"}).json()["id"]


def test_every_block_is_a_file_or_a_command_that_is_run():
    assert len(FILES) + len(COMMANDS) == len(BLOCKS)
    assert set(FILES) == {
        "pages/templates/pages/todos.html", "plain.js", "own.js", "react/useCollection.js",
        "react/main.jsx", "vue/useCollection.js", "vue/Todos.vue", "vue/main.js", "pages/views.py",
        "pages/urls.py", "pages/templates/pages/htmx.html", "follow.py",
    }  # fmt: skip


@pytest.mark.parametrize("name", RECIPES)
def test_each_kind_of_change_shows(kitchen, elsewhere, name):
    view = kitchen.view(name)
    item = kitchen.add(f"for {name}")
    kitchen.expect(view)
    path = f"{item['id']}/"
    for change in ({"done": True}, {"text": f"of {name}"}, {"position": 1}):
        kitchen.write("PATCH", path, **change)
        kitchen.expect(view)
    for todo_list in (elsewhere, 1):
        kitchen.write("PATCH", path, todo_list=todo_list)
        kitchen.expect(view)
    kitchen.write("DELETE", path)
    kitchen.expect(view)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_missed_between_the_list_and_the_stream(kitchen, name):
    early = kitchen.add("early")
    added = []

    def meanwhile(route):
        added.append(kitchen.add(f"before the stream of {name}"))
        kitchen.write("DELETE", f"{early['id']}/")
        route.continue_()

    view = kitchen.open(name, first=meanwhile)
    wait_until(lambda: view.lines() and added, "the stream")
    kitchen.expect(view)
    view.context.close()


def test_htmx_asks_again_for_what_changes_while_it_is_answered(kitchen):
    view = kitchen.open("htmx")
    kitchen.expect(view)
    view.page.evaluate("document.addEventListener('todo-item.created', () => heard.push(''))")

    def old(route):
        answer = route.fetch()
        kitchen.add("after the answer")
        wait_until(lambda: len(view.heard()) == 2, "both changes to be heard of")
        route.fulfill(response=answer)

    view.page.route("**/lists/1/", old, times=1)
    kitchen.add("in the answer")
    wait_until(lambda: "after the answer" in view.lines(), "the second change")
    kitchen.expect(view)
    view.context.close()


def test_a_page_whose_eventsource_gave_up_begins_anew(kitchen):
    view = kitchen.open("plain", first=lambda route: route.fulfill(status=502))
    wait_until(lambda: view.lines() and view.reads == 2, "the second attempt")
    kitchen.add("after a proxy's error")
    kitchen.expect(view)
    view.context.close()


class Restarting(httpx.HTTPTransport):
    """The first request for each address is answered as by a proxy whose server restarts."""

    refused = frozenset()

    def handle_request(self, request):
        if request.url.path in self.refused:
            return super().handle_request(request)
        self.refused |= {request.url.path}
        return httpx.Response(503)


@pytest.fixture
def follow(kitchen):
    """The function of the recipe in Python."""
    return runpy.run_path(str(kitchen.folder / "follow.py"))["follow"]


def test_nothing_is_missed_through_a_proxys_errors_in_python(kitchen, follow):
    options = {"base_url": kitchen.server.url, "headers": kitchen.api.headers}
    with httpx.Client(**options, transport=Restarting()) as client:
        told = follow(client, "/api/todo-items/?todo_list=1")
        assert next(told) == ("loaded", kitchen.rows())
        item = kitchen.add("before the stream of Python")
        assert next(told) == ("created", item)
        told.close()


def test_a_refusal_ends_the_program_in_python(kitchen, follow):
    nobody = httpx.Client(base_url=kitchen.server.url)
    with nobody, pytest.raises(httpx.HTTPStatusError, match="401"):
        next(follow(nobody, "/api/todo-items/?todo_list=1"))


@pytest.mark.parametrize("name", WRITING)
def test_a_click_writes(kitchen, name):
    view = kitchen.view(name)
    item = kitchen.add(f"clicked in {name}")
    kitchen.expect(view)
    view.page.get_by_text(item["text"]).click()
    path = f"/api/todo-items/{item['id']}/"
    wait_until(lambda: kitchen.api.get(path).json()["done"], "the write")
    kitchen.expect(view)


ABSENT = """
from todos.models import TodoItem
for n in range(3):
    TodoItem.objects.create(todo_list_id=1, text=f"while it was down {n}")
TodoItem.objects.filter(text="mark").update(done=True)
TodoItem.objects.get(text="while it was down 1").delete()
"""
PRUNE = """
from django.core.management import call_command
call_command("realtime_prune", max_events=0)
"""


def test_nothing_is_missing_or_doubled_after_a_crash(kitchen):
    views = [kitchen.view(name) for name in RECIPES]
    kitchen.expect(*views)
    plain, python = kitchen.view("plain"), kitchen.view("python")
    heard, told, reads = len(plain.heard()), len(python.told()), plain.reads
    since = kitchen.position()
    mark = kitchen.add("mark")
    kitchen.expect(*views)
    kitchen.crash(ABSENT)
    kitchen.add("after")
    kitchen.expect(*views)
    log = kitchen.changes(since)
    assert len(log) == 7
    assert log[0]["data"]["data"]["id"] == mark["id"]
    # Not only is the list right in the end: both have resumed, and heard everything once, in order.
    assert plain.heard()[heard:] == [event["id"] for event in log]
    assert plain.reads == reads
    assert python.told()[told:] == [
        (event["event"].partition(".")[2], event["data"]["data"]) for event in log
    ]


def test_all_begin_anew_after_a_reset(kitchen):
    views = [kitchen.view(name) for name in RECIPES]
    kitchen.expect(*views)
    plain, python = kitchen.view("plain"), kitchen.view("python")
    told, reads = len(python.told()), plain.reads
    kitchen.crash(ABSENT.replace("mark", "pruned") + PRUNE)
    wait_until(lambda: len(python.told()) > told, "the list")
    kitchen.expect(*views)
    kitchen.add("after the reset")
    kitchen.expect(*views)
    assert [action for action, _ in python.told()[told:]] == ["loaded", "created"]
    assert plain.reads == reads + 1


def test_who_loses_the_right_is_told(kitchen):
    members = "/api/todo-lists/1/members/"
    plain, python = (kitchen.open(name, "bob") for name in ("plain", "python"))
    kitchen.expect(plain, python)
    # What they show they may have read before their streams were open; this they can only hear.
    kitchen.add("while bob is a member")
    kitchen.expect(plain, python)
    kitchen.api.delete(f"{members}bob/").raise_for_status()
    try:
        wait_until(lambda: plain.lines() == [], "the list to go")
        assert plain.reads == 1
        wait_until(lambda: python.process.poll() == 1, "the program to end")
        assert "PermissionError: You may not read these channels any more." in python.close()
    finally:
        kitchen.api.post(members, json={"username": "bob"}).raise_for_status()


@pytest.fixture
def shell(kitchen):
    """Runs one of the document's lines for a shell."""
    begun = []

    def run(number):
        code = COMMANDS[number].replace("http://localhost:8000", kitchen.server.url)
        for program in ("curl", "jq"):
            if program in code and shutil.which(program) is None:
                pytest.skip(f"{program} is not installed")
        begun.append(Process(["bash", "-euc", code], TOKEN=kitchen.server.token()))
        return begun[-1].printed

    yield run
    for process in begun:
        process.close()


@pytest.mark.parametrize("number", [0, 2])
def test_curl_shows_the_stream(kitchen, shell, number):
    position = kitchen.position()
    printed = shell(number)
    wait_until(lambda: "data: {}" in printed, "the stream to open")
    assert printed[1:3] == [f"id: {position}", "event: stream-open"]
    item = kitchen.add("for curl")
    wait_until(lambda: printed[-2].startswith("data: {") and printed[5:], "the change")
    assert printed[-3] == "event: todo-item.created"
    assert json.loads(printed[-2].removeprefix("data: "))["data"] == item


def test_curl_and_jq_show_the_changes(kitchen, shell):
    printed = shell(1)
    item = kitchen.add("for jq")
    written = []

    def change():
        written.append(kitchen.write("PATCH", f"{item['id']}/", text=f"for jq {len(written)}"))
        return printed

    # Nothing is printed when the stream opens.
    wait_until(change, "a change")
    first = json.loads(printed[0])
    assert first["channel"] == "private-todo-list.1"
    assert first["data"] in [item, *written]
