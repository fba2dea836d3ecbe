"""What leaves somebody's sight is named to them once more, by its id, and never shown again."""

import asyncio
import json
import random
import time
from collections import Counter

from tests.servers import DEADLINE, cluster
from tests.torture.clients import Client, all_opened
from tests.torture.report import record

OPERATIONS = 2000
LISTS = 5
MEMBERS = ("alice", "bob")
END = "the end"


class World:
    """Lists of alice's with items, some of them shared with bob, and who may see what.

    Each text names the list that it is written in, so that it can be told who may have read it.
    """

    def __init__(self, api, dice):
        self._api = api
        self._dice = dice
        self.lists = [self._post("todo-lists", name="x") for _ in range(LISTS)]
        self.items = {}
        self.shared = set()
        self.done = Counter()

    def step(self):
        """Something happens."""
        choices = [self._add, self._edit, self._edit, self._move, self._move, self._delete]
        self._dice.choice([*choices, self._share, self._unshare])()

    def finish(self):
        """Writes something last into every list."""
        for todo_list in self.lists:
            self._post("todo-items", todo_list=todo_list, text=f"of {todo_list}, {END}")

    def _add(self):
        todo_list = self._dice.choice(self.lists)
        self.items[self._post("todo-items", todo_list=todo_list, text=self._text(todo_list))] = (
            todo_list
        )
        self.done["added"] += 1

    def _edit(self):
        if item := self._any():
            self._patch(item, text=self._text(self.items[item]))
            self.done["edited"] += 1

    def _move(self):
        if item := self._any():
            self.items[item] = target = self._dice.choice(self.lists)
            self._patch(item, todo_list=target, text=self._text(target))
            self.done["moved"] += 1

    def _delete(self):
        if item := self._any():
            del self.items[item]
            assert self._api.delete(f"/api/todo-items/{item}/").status_code == 204
            self.done["deleted"] += 1

    def _share(self):
        todo_list = self._dice.choice(self.lists)
        body = {"username": "bob"}
        assert self._api.post(f"/api/todo-lists/{todo_list}/members/", json=body).is_success
        self.shared.add(todo_list)
        self.done["shared"] += 1

    def _unshare(self):
        if self.shared:
            todo_list = self._dice.choice(sorted(self.shared))
            self.shared.remove(todo_list)
            assert self._api.delete(f"/api/todo-lists/{todo_list}/members/bob/").is_success
            self.done["unshared"] += 1

    def _any(self):
        return self._dice.choice(sorted(self.items)) if self.items else None

    def _text(self, todo_list):
        return f"of {todo_list}, {self._dice.random()}"

    def _post(self, kind, **body):
        return self._api.post(f"/api/{kind}/", json=body).raise_for_status().json()["id"]

    def _patch(self, item, **body):
        assert self._api.patch(f"/api/todo-items/{item}/", json=body).is_success


def faults(name, events, user):
    """What somebody was shown on a channel that they should not have been."""
    seen = set()
    for _, _, kind, text in events:
        kind, message = kind.decode(), json.loads(text)
        model, _, action = kind.partition(".")
        data = message["data"]
        key = model, data["id"]
        if message["channel"] != name:
            yield f"{kind} of {message['channel']} on {name}"
        if action in ("left", "deleted"):
            if set(data) != {"id"} or "changed" in message:
                yield f"{kind} shows {data}"
            if key not in seen:
                yield f"{kind} of what was never here: {data}"
            seen.discard(key)
        else:
            seen.add(key)
            if model == "todo-item" and f"of {data['todo_list']}," not in data["text"]:
                yield f"{kind} shows what was written elsewhere: {data}"
            if model == "todo-item" and name != f"private-todo-list.{data['todo_list']}":
                yield f"{kind} of {data['todo_list']} on {name}"
            if user and user not in [data["owner"]["id"], *(m["id"] for m in data["members"])]:
                yield f"{kind} shows a list to {user}, who may not see it: {data}"


async def until_the_end(client):
    """Waits for what is written last."""
    end = time.monotonic() + DEADLINE
    while not any(END.encode() in text for *_, text in client.events):
        assert time.monotonic() < end, "the end did not come"
        await asyncio.sleep(0.02)


def test_what_leaves_is_named_by_its_id_to_those_who_saw_it(make_server, postgres):
    servers = cluster(make_server, postgres, REALTIME_MAX_STREAMS_PER_USER="1000")
    tokens = {name: servers[0].token(name) for name in MEMBERS}
    with servers[0].client() as api:
        world = World(api, random.Random(8))
        names = [f"private-todo-list.{pk}" for pk in world.lists]

        async def play():
            clients = {
                (name, n): Client(server.port, [name], tokens["alice"])
                for name in names
                for n, server in enumerate(servers)
            }
            bobs = Client(servers[1].port, ["private-user.2"], tokens["bob"])
            clients["private-user.2", 1] = bobs
            for client in clients.values():
                await client.open()
            await all_opened(clients.values(), DEADLINE)
            for _ in range(OPERATIONS):
                await asyncio.to_thread(world.step)
            await asyncio.to_thread(world.finish)
            for client in clients.values():
                if client is not bobs:
                    await until_the_end(client)
            for client in clients.values():
                client.drop()
            return clients

        clients = asyncio.run(play())
    for server in servers:
        server.stop()
    found, told = [], Counter()
    for (name, _), client in clients.items():
        found += faults(name, client.events, 2 if name == "private-user.2" else None)
        told.update(kind.decode().partition(".")[2] for _, _, kind, _ in client.events)
    record(
        "An object leaves the user's sight",
        table="abuse",
        how=", ".join(f"{count} {what}" for what, count in sorted(world.done.items()))
        + "; streams of every list and of the member on two servers; each text says in which list"
        " it was written",
        count=OPERATIONS,
        worst=f"{len(found)} leaks; {told['left']:,} `left` and {told['deleted']:,} `deleted` came,"
        " each with an id alone, to those who had seen it",
        goal="`left`, `deleted` with the id and no data",
        command='make torture ARGS="-k test_sight"',
        quick="tests/e2e/test_streams.py",
    )
    assert not found, found[:5]
    assert told["left"] > 100
    assert told["deleted"] > 100
