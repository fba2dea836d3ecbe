"""What docs/deployment.md promises of what stands in front: nginx with its site, and PgBouncer."""

import json
import os
import socket
import ssl

import httpx
import pytest
from websockets.sync.client import connect

from tests.fronts import Nginx, PgBouncer
from tests.servers import Server, on_postgres
from tests.streams import Stream

HOST = "todos.example.org"


@pytest.fixture(scope="module")
def proxied(make_server):
    """A server as one is configured behind a proxy, with a keep-alive that no test waits for."""
    app = {"PUSHER_APP_ID": "1", "PUSHER_KEY": "key", "PUSHER_SECRET": "secret"}
    return make_server(ALLOWED_HOSTS=f"127.0.0.1,{HOST}", SECURE_SSL_REDIRECT="1", **app)


@pytest.fixture
def site(front, proxied):
    return front(Nginx, proxied.port)


@pytest.fixture
def api(site, proxied):
    """A client of the site, by TLS; it trusts nobody but the site's certificate."""
    context = ssl.create_default_context(cafile=str(site.certificate))
    with httpx.Client(
        base_url=f"https://127.0.0.1:{site.port}",
        headers={"Host": HOST},
        verify=context,
        timeout=20,
    ) as client:
        extensions = {"sni_hostname": HOST}
        client.event_hooks["request"].append(lambda request: request.extensions.update(extensions))
        login = {"username": "alice", "password": "realtime"}
        token = client.post("/api/token/", json=login).json()["token"]
        client.headers["Authorization"] = f"Token {token}"
        yield client


def test_events_pass_nginx_one_by_one(api):
    todo_list = api.post("/api/todo-lists/", json={"name": "x"}).json()["id"]
    query = {"channel": f"private-todo-list.{todo_list}"}
    with api.stream("GET", "/api/events/", params=query) as stream:
        assert stream.status_code == 200
        received = stream.iter_text()
        text = ""
        for word in ("one", "two", "three"):
            answer = api.post("/api/todo-items/", json={"todo_list": todo_list, "text": word})
            assert answer.status_code == 201
            while f'"text":"{word}"' not in text:
                text += next(received)


def test_a_stream_of_a_hundred_long_names_passes_nginx(api):
    names = [f"{'@' * 160}{n:03}" for n in range(100)]
    query = "&".join(f"channel={name.replace('@', '%40')}" for name in names)
    answer = api.get(f"/api/events/?{query}")
    # Nobody may read such channels; but it is the application that says so.
    assert answer.status_code == 403
    assert "detail" in answer.json()


def test_websockets_pass_nginx(site):
    context = ssl.create_default_context(cafile=str(site.certificate))
    address = f"wss://{HOST}/app/key?protocol=7"
    plain = socket.create_connection(("127.0.0.1", site.port), timeout=20)
    with connect(address, sock=plain, ssl=context) as socket_to_app:
        hello = json.loads(socket_to_app.recv(timeout=20))
        assert hello["event"] == "pusher:connection_established"


def test_nginx_offers_http_2(site):
    context = ssl.create_default_context(cafile=str(site.certificate))
    context.set_alpn_protocols(["h2", "http/1.1"])
    address = ("127.0.0.1", site.port)
    with (
        socket.create_connection(address, timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        assert connection.selected_alpn_protocol() == "h2"


def test_the_scheme_passes_nginx_whatever_a_client_says(api):
    # Without its scheme it would be redirected to https for ever.
    assert api.get("/accounts/login/").status_code == 200
    forged = {"X-Forwarded-For": "203.0.113.1", "X-Forwarded-Proto": "http"}
    assert api.get("/accounts/login/", headers=forged).status_code == 200


class Activated(Server):
    """A server whose socket is held by somebody else, as systemd does."""

    def __init__(self, *args, **environ):
        super().__init__(*args, LISTEN_FDS="1", **environ)
        self.listener = socket.create_server(("127.0.0.1", self.port))

    def command(self):
        # It must be told its own process id.
        return ["sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', *super().command()]

    def options(self):
        return {"close_fds": False, "preexec_fn": lambda: os.dup2(self.listener.fileno(), 3)}


def test_a_restart_refuses_nobody_where_systemd_holds_the_socket(tmp_path, database_template):
    server = Activated(tmp_path)
    server.database.write_bytes(database_template.read_bytes())
    server.start()
    server.stop()
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=60) as meanwhile:
            meanwhile.sendall(b"GET /api/events/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            server.start()
            assert meanwhile.recv(1000).startswith(b"HTTP/1.1 400 ")
    finally:
        server.stop()
        server.listener.close()


@pytest.fixture
def pooled(front, postgres, make_server, tmp_path_factory):
    """A server whose connections come from a PgBouncer, and what else it is given."""

    def make(**environ):
        direct = on_postgres(postgres, tmp_path_factory)
        pooler = front(PgBouncer, postgres)
        url = pooler.url(direct.rpartition("/")[2])
        return make_server(
            DATABASE_URL=url, WEB_CONCURRENCY="2", REALTIME_TICK="0.1",
            **{name: value.format(direct=direct) for name, value in environ.items()},
        )  # fmt: skip

    return make


@pytest.mark.parametrize("broker", ["direct", "none"])
def test_a_pooler_of_transactions_will_do(pooled, broker):
    server = pooled(**({"REALTIME_BROKER_URL": "{direct}"} if broker == "direct" else {}))
    channel = "private-todo-list.1"
    with server.client() as api:
        streams = [Stream(server.url, [channel], token=server.token()).opened() for _ in range(8)]
        for n in range(10):
            body = {"todo_list": 1, "text": f"{n}"}
            assert api.post("/api/todo-items/", json=body).status_code == 201
        for stream in streams:
            assert [stream.change()[1]["data"]["text"] for _ in range(10)] == list("0123456789")
            stream.close()
    # Who relies on LISTEN through it is told that this won't do.
    assert ("leads to a pooler" in server.log) == (broker == "none")
