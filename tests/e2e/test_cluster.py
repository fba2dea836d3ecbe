"""Several workers and servers on one database: each delivers what the others write."""

from contextlib import closing

import pytest

from tests.servers import cluster, stop_all, wait_until
from tests.streams import Stream
from tests.torture.faults import garbage, listeners

SERVERS = 2
WORKERS = 2
MANY = {"REALTIME_MAX_STREAMS_PER_USER": "500"}


@pytest.fixture(scope="module", params=["sqlite", "postgres", "redis"])
def servers(request, make_server):
    """SQLite's file alone; PostgreSQL alone; PostgreSQL and Redis. None may stop them."""
    environ = dict(MANY)
    if request.param == "redis":
        environ["REDIS_URL"] = request.getfixturevalue("redis_server").url
    postgres = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    found = cluster(make_server, postgres, **environ)
    yield found
    stop_all(found)


def holder(server, stream):
    """The worker that holds a stream."""
    connection = stream.response.extensions["network_stream"].get_extra_info("socket")
    return server.holders([connection.getsockname()[1]])[0]


class Board:
    """A list with streams on every worker of all servers."""

    def __init__(self, servers):
        self.clients = [server.client() for server in servers]
        self.todo_list = self.clients[0].post("/api/todo-lists/", json={"name": "x"}).json()["id"]
        self.channel = f"private-todo-list.{self.todo_list}"
        self.streams = []
        for server in servers:
            self._open(server)
        self.written = []

    def _open(self, server):
        """Opens streams until every worker of a server holds one."""
        token = server.token()
        holders = set()

        def all_hold():
            self.streams.append(Stream(server.url, [self.channel], token=token).opened())
            holders.add(holder(server, self.streams[-1]))
            return holders == set(server.workers)

        wait_until(all_hold, "every worker to hold a stream")

    def write(self, count):
        """Writes by each server in turn."""
        for n in range(count):
            text = f"item {len(self.written)}"
            body = {"todo_list": self.todo_list, "text": text}
            answer = self.clients[n % len(self.clients)].post("/api/todo-items/", json=body)
            assert answer.status_code == 201, answer.text
            self.written.append(text)

    def check(self):
        """Every stream gets what was written since the last time, in order."""
        for stream in self.streams:
            found = [stream.change()[1]["data"]["text"] for _ in self.written]
            assert found == self.written
        self.written = []

    def close(self):
        for stream in self.streams:
            stream.close()
        for client in self.clients:
            client.close()


@pytest.fixture
def board_of():
    """Makes boards, and closes them."""
    boards = []

    def make(servers):
        boards.append(Board(servers))
        return boards[-1]

    yield make
    for board in boards:
        board.close()


def test_every_worker_of_every_server_delivers_what_any_has_written(servers, board_of):
    board = board_of(servers)
    board.write(20)
    board.check()


def test_the_log_says_what_connects_the_workers(servers):
    def all_said_so():
        return all(len(starts(server)) == WORKERS for server in servers)

    wait_until(all_said_so, "all workers to say so")
    assert all("Database: " in line for server in servers for line in starts(server))


def starts(server):
    """The lines of a server's log that its workers have begun with."""
    return [line for line in server.log.splitlines() if "Broker:" in line]


def test_a_right_that_ends_on_one_server_ends_the_streams_on_all(servers):
    owner, member = servers[0].client("alice"), servers[0].client("bob")
    with closing(owner), closing(member):
        todo_list = owner.post("/api/todo-lists/", json={"name": "x"}).json()["id"]
        url = f"/api/todo-lists/{todo_list}/members/"
        assert owner.post(url, json={"username": "bob"}).status_code in (200, 201)
        channel = f"private-todo-list.{todo_list}"
        streams = [
            Stream(server.url, [channel], token=server.token("bob")).opened()
            for server in servers
            for _ in range(4)
        ]
        assert owner.delete(f"{url}bob/").status_code == 204
        for stream in streams:
            assert stream.rest()[-1].event == "stream-error"


@pytest.fixture(scope="module")
def mortal_redis(make_redis):
    """A Redis that tests may kill, and have to leave running."""
    return make_redis()


@pytest.fixture(scope="module")
def with_redis(make_server, postgres, mortal_redis):
    """Servers with that Redis."""
    servers = cluster(make_server, postgres, REDIS_URL=mortal_redis.url, **MANY)
    yield servers
    stop_all(servers)


@pytest.mark.parametrize("fault", ["kill", "freeze"])
def test_without_redis_all_goes_on_and_with_it_again_too(with_redis, mortal_redis, board_of, fault):
    board = board_of(with_redis)
    wait_until(lambda: listeners(mortal_redis) == SERVERS * WORKERS, "all workers to listen")
    getattr(mortal_redis, fault)()
    board.write(10)
    board.check()
    mortal_redis.start() if fault == "kill" else mortal_redis.thaw()
    wait_until(lambda: listeners(mortal_redis) == SERVERS * WORKERS, "all workers to listen again")
    board.write(10)
    board.check()


def test_messages_that_are_none_change_nothing(with_redis, mortal_redis, board_of):
    board = board_of(with_redis)
    wait_until(lambda: listeners(mortal_redis) == SERVERS * WORKERS, "all workers to listen")
    with closing(mortal_redis.connect()) as client:
        (topic,) = client.pubsub_channels()
        for message in garbage(board.channel):
            client.publish(topic, message)
    board.write(10)
    board.check()
    for server in with_redis:
        assert "stopping the process" not in server.log
