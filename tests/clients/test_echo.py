"""Laravel Echo, as it talks to Reverb."""

import pusher

from tests.clients.client import Client, Connect
from tests.clients.conftest import new_list
from tests.servers import Server, wait_until

ECHO = """(key, { echo: token, ...options }) => {
    const { wsHost, wsPort, wssPort, forceTLS, enabledTransports } = options;
    const base = `http://${wsHost}:${wsPort}`;
    const echo = new Echo({
        broadcaster: "reverb",
        Pusher,
        key,
        wsHost,
        wsPort,
        wssPort,
        forceTLS,
        enabledTransports,
        authEndpoint: `${base}/broadcasting/auth`,
        bearerToken: token,
    });
    const { pusher } = echo.connector;
    pusher.echo = echo;
    pusher.echoed = [];
    return pusher;
}"""


def made(connect: Connect, token: str = "") -> Client:
    """An Echo client, perhaps of a user's."""
    return connect(how=ECHO, echo=token)


def echoed(client: Client, count: int) -> list[object]:
    """What Echo's own callbacks have noted, once it is so much."""
    wait_until(lambda: len(client.call("(pusher) => pusher.echoed")) >= count, "Echo's callbacks")
    found: list[object] = client.call("(pusher) => pusher.echoed")
    return found


def test_echo_listens_to_raw_names(connect: Connect, backend: pusher.Pusher) -> None:
    client = made(connect)
    client.call(
        "({ echo, echoed }) => void echo.channel('echo-a')"
        ".listen('.headline', (data) => echoed.push(data))"
    )
    client.subscribe("echo-a")
    wait_until(lambda: client.call("(p) => p.channel('echo-a').subscribed"), "the subscription")
    backend.trigger("echo-a", "headline", {"text": "hello"})
    assert echoed(client, 1) == [{"text": "hello"}]


def test_echo_joins_private_and_presence_channels_by_a_bearer_token(
    connect: Connect, pusher_server: Server, tokens: dict[str, str]
) -> None:
    with pusher_server.client("alice") as alice:
        pk = new_list(pusher_server)
        client = made(connect, tokens["alice"])
        client.call(
            """({ echo, echoed }, pk) => {
                echo.private(`todo-list.${pk}`)
                    .subscribed(() => echoed.push("subscribed"))
                    .listen(".todo-item.created", ({ text }) => echoed.push(text));
                echo.join(`todo-list.${pk}`)
                    .here((members) => echoed.push(members.map(({ name }) => name)));
            }""",
            pk,
        )
        assert sorted(map(str, echoed(client, 2))) == ["['alice']", "subscribed"]
        alice.post("/api/todo-items/", json={"todo_list": pk, "text": "Milk"}).raise_for_status()
        assert echoed(client, 3)[2] == "Milk"


def test_echo_whispers(connect: Connect, pusher_server: Server, tokens: dict[str, str]) -> None:
    pk = new_list(pusher_server)
    clients = [made(connect, tokens["alice"]), made(connect, tokens["alice"])]
    for client in clients:
        client.call(
            """({ echo, echoed }, pk) => void echo.private(`todo-list.${pk}`)
                .subscribed(() => echoed.push("subscribed"))
                .listenForWhisper("typing", (data) => echoed.push(data))""",
            pk,
        )
        echoed(client, 1)
    whisper = "({ echo }, pk) => void echo.private(`todo-list.${pk}`).whisper('typing', { n: 1 })"
    clients[0].call(whisper, pk)
    assert echoed(clients[1], 2) == ["subscribed", {"n": 1}]
