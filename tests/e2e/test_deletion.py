"""Deletions at the same moment as what they would have to take along."""

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.servers import wait_until

INSERT = (
    "INSERT INTO todos_todoitem (todo_list_id, text, done, position, created_at, updated_at)"
    " VALUES (%s, 'late', false, 1, now(), now())"
)
WAITING = (
    "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


@pytest.fixture
def server(make_server, postgres):
    server = make_server(postgres)
    yield server
    server.stop()


def test_a_list_takes_along_what_was_being_put_into_it_when_it_was_deleted(server):
    with (
        psycopg.connect(server.environ["DATABASE_URL"]) as other,
        server.client() as api,
        ThreadPoolExecutor(1) as pool,
    ):
        todo_list = api.post("/api/todo-lists/", json={"name": "x"}).json()
        other.execute(INSERT, [todo_list["id"]])
        # Else its foreign key is looked at when it commits, and nobody could be stopped in between.
        other.execute("SET CONSTRAINTS ALL IMMEDIATE")
        answer = pool.submit(api.delete, f"/api/todo-lists/{todo_list['id']}/")
        wait_until(lambda: server.query(WAITING), "the deletion to wait")
        other.commit()
        assert answer.result().status_code == 204
    assert server.query("SELECT 1 FROM todos_todoitem WHERE text = 'late'") == []
