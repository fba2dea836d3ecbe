"""The Pusher slides of "Effortless real time apps in Django" (DjangoCon Europe 2015), as they are
but for keys and host."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Page
from pusher import Pusher

from tests.clients.conftest import APP
from tests.servers import Server, wait_until

# Slide 98: the page. `$scope` and `$pusher` are what Angular would hand over.
CONTROLLER = """([key, options, channel, event]) => {
    const $scope = globalThis.$scope = {};
    const $pusher = (client) => client;

    $scope.todoItems = [{ id: 1, text: "Bread" }, { id: 2, text: "Milk" }];

    var client = new Pusher(key, options);
    var pusher = $pusher(client);
    var todo_items_channel = pusher.subscribe(channel);
    todo_items_channel.bind(event,
        function(data) {
            for(var i=0; i < $scope.todoItems.length; i++) {
                if($scope.todoItems[i].id == data.id) {
                    $scope.todoItems[i] = data;
                    return;
                }
            }
        }
    );
    globalThis.subscribed = () => todo_items_channel.subscribed;
}"""

# Slide 114: another page.
ALERT = """([key, options, channel]) => {
    var pusher = new Pusher(key, options);
    var channel = pusher.subscribe(channel);
    channel.bind('update', function(data) {
        alert(data.user + " has begun updating this object");
    });
    globalThis.subscribed = () => channel.subscribed;
}"""


@pytest.fixture
def settings(pusher_server: Server) -> SimpleNamespace:
    """The slides' Django settings."""
    return SimpleNamespace(
        PUSHER_APP_ID=APP["PUSHER_APP_ID"],
        PUSHER_KEY=APP["PUSHER_KEY"],
        PUSHER_SECRET=APP["PUSHER_SECRET"],
        HOST={"host": "127.0.0.1", "port": pusher_server.port, "ssl": False},
    )


@pytest.fixture
def page(open_page: Callable[..., Page], pusher_server: Server) -> Page:
    """A page of the site, seen by alice, on which pusher-js is loaded."""
    return open_page(pusher_server, "alice")


def host(server: Server) -> dict[str, Any]:
    """All that pusher-js has to be told beside the key."""
    return {"cluster": "", "wsHost": "127.0.0.1", "wsPort": server.port, "forceTLS": False}


def run(page: Page, script: str, arguments: list[Any]) -> None:
    page.evaluate(script, arguments)
    wait_until(lambda: page.evaluate("subscribed()"), "the subscription")


def items(page: Page) -> Any:
    return page.evaluate("$scope.todoItems")


def self_publishing(settings: SimpleNamespace, channel: str) -> Any:
    """Slide 93: a model that publishes itself."""

    class SelfPublishModel:
        channel_name = channel
        serializer_class = staticmethod(
            lambda instance: SimpleNamespace(serialize=lambda: dict(vars(instance)))
        )

        def _publish(self, action: str) -> None:
            serializer = self.serializer_class(instance=self)
            data = serializer.serialize()

            pusher = Pusher(
                app_id=settings.PUSHER_APP_ID,
                key=settings.PUSHER_KEY,
                secret=settings.PUSHER_SECRET,
                **settings.HOST,
            )

            pusher.trigger(self.channel_name, action, data)

    return SelfPublishModel()


def test_a_model_that_publishes_itself_changes_the_page(
    page: Page, pusher_server: Server, settings: SimpleNamespace
) -> None:
    run(page, CONTROLLER, [APP["PUSHER_KEY"], host(pusher_server), "todo-item", "updated"])
    item = self_publishing(settings, "todo-item")
    item.id, item.text = 2, "Oat milk"
    item._publish("updated")
    wait_until(lambda: items(page)[1]["text"] == "Oat milk", "the page to show the change")
    assert items(page) == [{"id": 1, "text": "Bread"}, {"id": 2, "text": "Oat milk"}]


def test_a_trigger_on_the_todo_pages_own_channel_changes_the_page(
    page: Page, pusher_server: Server, settings: SimpleNamespace
) -> None:
    channel = "private-todo-list.1"
    run(page, CONTROLLER, [APP["PUSHER_KEY"], host(pusher_server), channel, "updated"])
    pusher = Pusher(
        app_id=settings.PUSHER_APP_ID,
        key=settings.PUSHER_KEY,
        secret=settings.PUSHER_SECRET,
        **settings.HOST,
    )
    pusher.trigger(channel, "updated", {"id": 1, "text": "hello world"})
    wait_until(lambda: items(page)[0]["text"] == "hello world", "the page to show it")


def test_what_is_written_by_rest_changes_the_page_by_its_own_name(
    page: Page, pusher_server: Server
) -> None:
    with pusher_server.client("alice") as api:
        made = api.post("/api/todo-lists/", json={"name": "x"}).json()
        item = api.post("/api/todo-items/", json={"todo_list": made["id"], "text": "a"}).json()
        channel = f"private-todo-list.{made['id']}"
        arguments = [APP["PUSHER_KEY"], host(pusher_server), channel, "todo-item.updated"]
        run(page, CONTROLLER, arguments)
        page.evaluate("(item) => $scope.todoItems.push(item)", item)
        changed = api.patch(f"/api/todo-items/{item['id']}/", json={"done": True}).json()
    wait_until(lambda: items(page)[-1] == changed, "the page to show the change")


def test_a_view_tells_who_has_begun_to_edit(
    page: Page, pusher_server: Server, settings: SimpleNamespace
) -> None:
    alerts: list[str] = []
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.accept()))
    run(page, ALERT, [APP["PUSHER_KEY"], host(pusher_server), "model_7"])
    # Slide 109: PusherMixin.render_to_response
    channel = "{model}_{pk}".format(model="model", pk=7)
    event_data = {"user": "aaron"}

    pusher = Pusher(
        app_id=settings.PUSHER_APP_ID,
        key=settings.PUSHER_KEY,
        secret=settings.PUSHER_SECRET,
        **settings.HOST,
    )
    pusher.trigger([channel], "update", event_data)
    wait_until(lambda: page.evaluate("1") and alerts, "the alert")
    assert alerts == ["aaron has begun updating this object"]
