"""The benchmarks' own pieces; nothing is timed here."""

import asyncio
import dataclasses
import os
import shutil
import socket
import threading
from contextlib import suppress

import pytest
from websockets.asyncio.server import serve

from benchmarks.data import Column, Figure, Goal, Plot, Row
from benchmarks.load import Load
from benchmarks.peers.base import stamp
from benchmarks.peers.plain import Plain
from benchmarks.report import judgements, section, table, with_figures
from tests.e2e.test_restarts import read_until

PAGE = "# Performance\n\nProse.\n\n<!-- figures: begin -->\n<!-- figures: end -->\n\nMore.\n"

needs_compiler = pytest.mark.skipif(
    not shutil.which(os.environ.get("CC", "cc")), reason="No C compiler is installed"
)


def figure(**changes) -> Figure:
    """Two servers, three rounds; the first was disturbed."""
    ours = Row("this server", {"cpu": [8.0, 4.0, 3.0]}, note="all of it")
    plain = Row("plain C", {"cpu": [4.0, 2.0, 2.0], "rate": [1234567.0]})
    made = Figure(
        "fanout",
        "Fan-out",
        "How.",
        "python -m benchmarks fanout",
        [Column("cpu", "µs", 2), Column("rate", "deliveries/s", 0)],
        [ours, plain],
        [Goal("to C", "cpu", "this server", "plain C", most=2)],
        [Plot("cpu")],
        {"nchan": "it is not installed"},
        "2026-01-01, 2 cores",
    )
    return dataclasses.replace(made, **changes)


# The load client


@needs_compiler
def test_every_delivery_is_counted():
    with Plain() as peer, peer.load() as load:
        assert load.open(30).open == 30
        load.count()
        peer.publish_many(7)
        seen = load.wait(7 * 30)
        assert (seen.events, seen.failed) == (7 * 30, 0)
        assert seen.bytes % (7 * 30) == 0
        assert 0 < seen.p50_ms <= seen.p99_ms <= seen.max_ms * 1.01
        assert load.drop().open == 0
        assert load.reopen(30).open == 30
        peer.publish()
        assert load.wait(30).events == 30


@needs_compiler
def test_a_stream_that_is_refused_is_not_open():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Load(port, [b"GET / HTTP/1.1\r\n\r\n"], "stream-open") as load:
        seen = load.open(3)
        assert (seen.open, seen.failed) == (0, 3)


@needs_compiler
def test_who_comes_back_says_where_it_was_also_when_an_event_came_in_pieces():
    head, asked = b"HTTP/1.1 200 OK\r\n\r\nevent: stream-open\n\n", []
    event = f"\nid: 7-abcdefgh\nevent: note\ndata: {stamp()}\n\n".encode()

    def answer(server):
        for _ in range(2):
            connection, _ = server.accept()
            asked.append(read_until(connection, b"\r\n\r\n"))
            # Until the client breaks it off.
            with connection, suppress(ConnectionError):
                connection.sendall(head)
                for start in range(0, len(event), 5):
                    connection.sendall(event[start : start + 5])
                connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server,), daemon=True).start()
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        with Load(server.getsockname()[1], [request], "stream-open") as load:
            load.open(1)
            assert load.wait(1, 30).events == 1
            load.drop()
            load.reopen(1)
            assert load.wait(1, 30).events == 1
            load.drop()
    assert b"Last-Event-ID" not in asked[0]
    assert asked[1] == b"GET / HTTP/1.1\r\nLast-Event-ID: 7-abcdefgh\r\nHost: x\r\n\r\n"


@needs_compiler
def test_websockets_are_answered_and_counted():
    """Frames are masked, pings have pongs, and what is said before a socket is open is heard."""
    heard = []

    async def talk(connection):
        await connection.send('{"event": "hello"}')
        heard.append(await connection.recv())
        await (await connection.ping(b"are you there"))
        await connection.send('{"event": "pusher:ping", "data": {}}')
        heard.append(await connection.recv())
        await connection.send("subscribed")
        for length in (0, 200, 70000):
            await connection.send(stamp() + "x" * length)
        await connection.wait_closed()

    ports, stop = [], threading.Event()

    async def run():
        async with serve(talk, "127.0.0.1", 0) as server:
            ports.append(server.sockets[0].getsockname()[1])
            ready.set()
            await asyncio.to_thread(stop.wait)

    ready = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(30)
        request = (
            b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        with Load(ports[0], [request] * 3, "subscribed", lambda message: f"to {message}") as load:
            assert load.open(3).open == 3
            assert load.wait(9, 30).events == 9
    finally:
        stop.set()
        thread.join()
    assert sorted(heard) == sorted(
        3 * ['to {"event": "hello"}', '{"event":"pusher:pong","data":{}}']
    )


# The report


def test_a_ratio_compares_what_was_measured_in_the_same_round():
    found = figure().judge(figure().goals[0])
    assert (found.low, found.mid, found.high) == (1.5, 2.0, 2.0)
    assert "| to C | 2.00 (1.50 to 2.00) | ≤ 2 | reached |" in judgements(figure())


def test_a_goal_that_is_not_reached_is_said_so_and_one_that_was_not_measured_is_not_there():
    goals = [
        Goal("to C", "cpu", "this server", "plain C", most=1.9),
        Goal("to nchan", "cpu", "this server", "nchan", most=1),
        Goal("CPU", "cpu", "this server", least=3),
    ]
    text = judgements(figure(goals=goals))
    assert "| ≤ 1.9 | **not reached** |" in text
    assert "nchan" not in text
    assert "| CPU | 4.00 (3.00 to 8.00) | ≥ 3 | reached |" in text


def test_a_table_has_the_median_and_the_spread_of_each_cell():
    assert table(figure()).splitlines()[2:] == [
        "| this server | 4.00 (3.00 to 8.00) |  | 3 |",
        "| plain C | 2.00 (2.00 to 4.00) | 1,234,567 | 3 |",
    ]


def test_a_section_names_its_command_its_machine_and_what_is_missing():
    text = section(figure())
    for part in (
        "`python -m benchmarks fanout` · 2026-01-01, 2 cores",
        "Not measured: nchan (it is not installed).",
        "- this server: all of it.",
        "![Fan-out](images/performance-fanout.svg)",
    ):
        assert part in text


def test_sections_are_renewed_and_all_else_stays():
    page = with_figures(PAGE, [figure(), figure(name="rest", title="REST")])
    assert with_figures(page, [figure(), figure(name="rest", title="REST")]) == page
    renewed = with_figures(page, [figure(title="Anew")])
    assert renewed == page.replace("## Fan-out", "## Anew").replace("![Fan-out]", "![Anew]", 1)
    assert renewed.startswith("# Performance\n\nProse.\n\n<!-- figures: begin -->\n")
    assert renewed.endswith("<!-- figures: end -->\n\nMore.\n")


def test_figures_survive_their_file():
    assert Figure.from_json(figure().to_json()) == figure()
