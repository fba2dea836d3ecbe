"""A server that is told to end while a thousand listen and somebody writes."""

import asyncio
import json
import signal
import threading
import time

import h11

from tests.servers import wait_until
from tests.torture.clients import LINE, crowd
from tests.torture.report import record

STREAMS, USERS, ROUNDS = 1000, 100, 3
GOAL = 5.0
RATE = 20

WRITER = f"""
import time, realtime
moment = time.monotonic()
for number in range(10 * {RATE}):
    time.sleep(max(0, moment - time.monotonic()))
    realtime.trigger("{LINE}", "note", [number, "x" * 200])
    moment += 1 / {RATE}
"""


class Recorder(asyncio.Protocol):
    """A stream of which every byte is kept."""

    def __init__(self, port, token):
        self.data = bytearray()
        self.ended = asyncio.get_running_loop().create_future()
        self._request = (
            f"GET /api/events/?channel={LINE} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
            f"Authorization: Token {token}\r\n\r\n"
        ).encode()

    def connection_made(self, transport):
        transport.write(self._request)

    def data_received(self, data):
        self.data += data

    def connection_lost(self, exc):
        self.ended.set_result(None)


def body(data):
    """What an HTTP answer carries, and whether it came to its end."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(bytes(data))
    found = b""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Data):
            found += event.data
        elif not isinstance(event, h11.Response):
            return found, isinstance(event, h11.EndOfMessage)


def is_whole(data):
    """Whether an answer ends as it should, at the end of a frame, with no event missing within."""
    found, complete = body(data)
    frames = found.split(b"\n\n")
    notes = [json.loads(f.rpartition(b"data: ")[2]) for f in frames if b"event: note\n" in f]
    numbers = [note["data"][0] for note in notes]
    return (
        complete
        and not frames[-1]
        and frames[-2].startswith(b"retry: ")
        and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        and all(note["data"][1] == "x" * 200 for note in notes)
    )


async def end(server, tokens):
    """Ends a server with many streams while events flow: how long it took, and what came."""
    loop = asyncio.get_running_loop()
    recorders = [Recorder(server.port, tokens[n % USERS]) for n in range(STREAMS)]
    for start in range(0, STREAMS, 200):
        part = recorders[start : start + 200]
        await asyncio.gather(
            *(loop.create_connection(lambda r=r: r, "127.0.0.1", server.port) for r in part)
        )
        await until(lambda part=part: all(b"stream-open" in r.data for r in part), "streams")
    writer = threading.Thread(target=server.shell, args=(WRITER,))
    writer.start()
    await until(lambda: all(r.data.count(b"event: note") > RATE for r in recorders), "events")
    begin = time.monotonic()
    server.signal(signal.SIGTERM)
    code = await asyncio.to_thread(server.wait, 60)
    took = time.monotonic() - begin
    await asyncio.gather(*(recorder.ended for recorder in recorders))
    await asyncio.to_thread(writer.join)
    return took, code, recorders


async def until(condition, what):
    await asyncio.to_thread(wait_until, condition, what, 60)


def test_a_server_with_many_streams_ends_at_once_and_tears_no_frame(make_server, redis_server):
    server = make_server(WEB_CONCURRENCY="2", REDIS_URL=redis_server.url)
    tokens = crowd(server, USERS)
    times, torn, codes = [], [], set()
    for _ in range(ROUNDS):
        took, code, recorders = asyncio.run(end(server, tokens))
        times.append(took)
        codes.add(code)
        torn += [bytes(r.data) for r in recorders if not is_whole(r.data)]
        server.start()
    record(
        "SIGTERM",
        how=f"{STREAMS:,} streams, {RATE} events/s, 2 workers, {ROUNDS} times; every byte is kept"
        " and parsed",
        count=STREAMS * ROUNDS,
        worst=f"ended after {max(times):.1f} s; {len(torn)} torn streams",
        goal=f"exit ≤ {GOAL:g} s, no torn frame",
        command='make torture ARGS="-k sigterm"',
    )
    assert codes == {0}
    assert not torn, torn[0][-500:]
    assert max(times) <= GOAL
