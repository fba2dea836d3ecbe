"""A real EventSource, in two browser contexts, through a crash of the server."""

from tests.servers import wait_until

FOLLOW = """(channel) => {
    window.seen = [];
    window.opened = 0;
    window.source = new EventSource(`/api/events/?channel=${channel}`);
    source.addEventListener("stream-open", () => { opened += 1; });
    source.addEventListener("stream-reset", (event) => seen.push(["reset", event.data]));
    for (const action of ["created", "updated", "deleted"])
        source.addEventListener(`todo-item.${action}`, (event) =>
            seen.push([event.lastEventId, action, JSON.parse(event.data).data]));
}"""


def wait_for(page, condition):
    # Not playwright's own wait, whose eval the page's Content-Security-Policy forbids.
    wait_until(lambda: page.evaluate(condition), condition)


def seen(page):
    return page.evaluate("seen")


def test_two_browsers_see_the_same_changes_and_a_crash_loses_none(fresh_server, open_page):
    server = fresh_server
    pages = [open_page(server, name) for name in ("alice", "bob")]
    for page in pages:
        page.evaluate(FOLLOW, "private-todo-list.1")
        wait_for(page, "opened == 1")
    with server.client("bob") as api:
        items = []
        for n in range(5):
            body = {"todo_list": 1, "text": f"before {n}"}
            items.append(api.post("/api/todo-items/", json=body).json())
    for page in pages:
        wait_for(page, "seen.length >= 5")
    server.kill()
    server.shell(
        "from todos.models import TodoItem\n"
        "for n in range(5): TodoItem.objects.create(todo_list_id=1, text=f'while down {n}')\n"
        f"TodoItem.objects.filter(pk={items[0]['id']}).delete()"
    )
    server.start()
    with server.client("alice") as api:
        path = f"/api/todo-items/{items[1]['id']}/"
        changed = api.patch(path, json={"done": True}).json()
    for page in pages:
        wait_for(page, "seen.some(([id, action]) => action == 'updated')")
    first, second = map(seen, pages)
    assert first == second
    assert [entry[1] for entry in first] == ["created"] * 10 + ["deleted", "updated"]
    assert [entry[2]["text"] for entry in first[5:10]] == [f"while down {n}" for n in range(5)]
    assert first[-1][2] == changed
    assert len({entry[0] for entry in first}) == len(first)
    assert all(page.evaluate("opened") >= 2 for page in pages)


def test_an_eventsource_is_closed_for_good_when_its_right_ends(server, open_page):
    page = open_page(server, "bob")
    with server.client() as alice:
        todo_list = alice.post("/api/todo-lists/", json={"name": "x"}).json()
        path = f"/api/todo-lists/{todo_list['id']}/members/"
        alice.post(path, json={"username": "bob"})
        page.evaluate(FOLLOW, f"private-todo-list.{todo_list['id']}")
        wait_for(page, "opened == 1")
        alice.delete(f"{path}bob/")
        # It comes back by itself, and is refused: a 403 ends an EventSource.
        wait_for(page, "source.readyState == EventSource.CLOSED")
        alice.post("/api/todo-items/", json={"todo_list": todo_list["id"], "text": "secret"})
    assert seen(page) == []


def test_the_streams_page_shows_events_as_they_come(server, open_page):
    page = open_page(server, "alice")
    with server.client() as alice:
        todo_list = alice.post("/api/todo-lists/", json={"name": "x"}).json()
        page.goto(f"{server.url}/api/events/?channel=private-todo-list.{todo_list['id']}")
        page.wait_for_selector("#stream-state:has-text('live')")
        body = {"todo_list": todo_list["id"], "text": "shown at once"}
        alice.post("/api/todo-items/", json=body)
        page.wait_for_selector("#stream-events tr:has-text('shown at once')")
