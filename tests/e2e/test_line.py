"""A crowd on one channel: most are in line, and an event is written to their descriptors, while
some dawdle, some vanish and come back, some send pings and read nothing, and other connections take
the descriptors that have become free."""

import asyncio
import json
import random
from contextlib import suppress
from functools import partial
from itertools import pairwise

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.torture.clients import Client, all_opened, drop_all, narrow_socket
from tests.websockets import APP, ENVIRON, backend_of

ROOM = "room"
COUNT = 600
STEADY, SLOW, FICKLE, SOCKETS = 30, 10, 10, 30


class Reader(Client):
    """Notes the number of each event."""

    def __init__(self, server, token):
        super().__init__(server.port, [ROOM], token)
        self.numbers = []
        self.on_event = self.note

    def note(self, _):
        _, _, kind, text = self.events.pop()
        assert kind == b"note", (kind, text)
        self.numbers.append(json.loads(text)["data"][0])


class Slow(Reader):
    """Takes little at a time, until it is in a hurry."""

    is_in_a_hurry = False

    async def open(self):
        self._over = asyncio.get_running_loop().create_future()
        connection = narrow_socket(self.server)
        connection.setblocking(False)
        await asyncio.get_running_loop().create_connection(lambda: self, sock=connection)

    def data_received(self, data):
        super().data_received(data)
        if not self.is_in_a_hurry:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(0.03, self._transport.resume_reading)


class Fickle(Reader):
    """Breaks its connection now and then, and comes back."""

    chance = random.Random(1)

    coming = None
    returns = 0

    def note(self, client):
        super().note(client)
        if self.coming is None and self.chance.random() < 0.1:
            self.drop()
            self.coming = asyncio.create_task(self.come_back())

    def data_received(self, data):
        # What comes after it has gone is not its own.
        if self.coming is None or self.coming.done():
            super().data_received(data)

    async def come_back(self):
        await self.lost()
        self.coming = None
        self.returns += 1
        await self.open()


async def listen(server, numbers, on_message):
    """A WebSocket, until it has heard everything or `on_message` breaks it off."""
    url = f"ws://127.0.0.1:{server.port}/app/{APP.key}?protocol=7&client=test&version=1"
    with suppress(ConnectionClosed):
        async with connect(url, compression=None, ping_interval=None) as socket:
            subscription = {"event": "pusher:subscribe", "data": {"channel": ROOM}}
            await socket.send(json.dumps(subscription))
            async for message in socket:
                frame = json.loads(message)
                if frame["event"] == "pusher_internal:subscription_succeeded":
                    numbers.append(-1)
                elif frame["event"] == "note":
                    numbers.append(json.loads(frame["data"])[0])
                if numbers and numbers[-1] == COUNT - 1:
                    return
                await on_message(socket)


async def listen_calmly(server, numbers):
    async def do_nothing(socket):
        pass

    await listen(server, numbers, do_nothing)


async def listen_restlessly(server, numbers):
    """Has pongs sent between the events."""

    async def send_pings(socket):
        for _ in range(3):
            await socket.ping()

    await listen(server, numbers, send_pings)


async def listen_now_and_then(server, numbers):
    """Breaks its connection, and comes back: of what was missed, it hears nothing."""
    chance = random.Random(2)

    async def break_off(socket):
        if chance.random() < 0.1:
            socket.transport.abort()

    # Not for ever: one that is cancelled while it connects leaves its connection open.
    while numbers[-1:] != [COUNT - 1]:
        await listen(server, numbers, break_off)


async def ask(server, token, is_over):
    """Connections of their own, one after the other, which are answered what they ask for."""
    head = (
        "GET /api/todo-lists/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Authorization: Token {token}\r\n\r\n"
    )
    count = 0
    while not is_over.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        top, _, body = answer.partition(b"\r\n\r\n")
        assert top.startswith(b"HTTP/1.1 200 "), answer
        assert json.loads(body)["results"][0]["id"], answer
        count += 1
    return count


def have_got(heard, number):
    return all(len(one) > number for one in heard)


async def publish(backend, heard):
    """Mostly, an event comes when the steady readers have got the one before."""
    chance = random.Random(1)
    for number in range(COUNT):
        text = "x" * chance.choice([1, 100, 1000, 8000])
        await asyncio.to_thread(backend.trigger, ROOM, "note", [number, text])
        if chance.random() < 0.9:
            await until(partial(have_got, heard, number), lambda: "not all who read have got it")


async def until(condition, what):
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(what())


async def attend(server, token):
    readers = [Reader(server, token) for _ in range(STEADY)]
    slow = [Slow(server, token) for _ in range(SLOW)]
    fickle = [Fickle(server, token) for _ in range(FICKLE)]
    everybody = readers + slow + fickle
    heard = [[] for _ in range(SOCKETS)]
    for reader in everybody:
        await reader.open()
    ways = (listen_calmly, listen_restlessly, listen_now_and_then)
    listening = [
        asyncio.create_task(ways[n % 3](server, numbers)) for n, numbers in enumerate(heard)
    ]
    faithful = [one for n, one in enumerate(listening) if ways[n % 3] is not listen_now_and_then]
    await all_opened(everybody, 30)
    await until(lambda: all(heard), lambda: f"{heard} subscribed")
    is_over = asyncio.Event()
    asking = [asyncio.create_task(ask(server, token, is_over)) for _ in range(2)]
    await publish(backend_of(server), [reader.numbers for reader in readers])
    Slow.is_in_a_hurry = True
    told = [reader.numbers for reader in everybody]
    await until(
        lambda: all(numbers and numbers[-1] == COUNT - 1 for numbers in told),
        lambda: f"got: {[numbers[-1:] for numbers in told]}",
    )
    await asyncio.wait_for(asyncio.gather(*faithful), 60)
    is_over.set()
    assert min(await asyncio.gather(*asking)) > 0
    for numbers in told:
        assert numbers == list(range(COUNT))
    for number, numbers in enumerate(heard):
        if ways[number % 3] is listen_now_and_then:
            assert all(b in (a + 1, -1) for a, b in pairwise(numbers) if a != -1)
        else:
            assert numbers == [-1, *range(COUNT)]
    assert min(reader.returns for reader in fickle) > 0
    for one in listening:
        one.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    await asyncio.gather(*(reader.coming for reader in fickle if reader.coming))
    await drop_all(everybody)


def test_a_crowd_gets_everything_once_and_in_order(make_server):
    server = make_server(
        **ENVIRON,
        REALTIME_MAX_STREAMS_PER_USER="500",
        REALTIME_STREAM_BUFFER="50000000",
        REALTIME_KEEP_ALIVE="1",
        REALTIME_STALL_TIMEOUT="600",
    )
    asyncio.run(attend(server, server.token()))
    assert "Traceback" not in server.log
    server.stop()
