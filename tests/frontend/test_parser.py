"""The client's parser of Server-Sent Events, against the HTML standard's rules."""

import random
from typing import Any

import pytest
from httpx_sse._decoders import SSEDecoder
from playwright.sync_api import Page

Event = tuple[str, str, str]

# What the bytes are, and the events (type, data, id to resume after) that they are.
CORPUS: dict[str, tuple[bytes, list[Event]]] = {
    "nothing": (b"", []),
    "one": (b"data: a\n\n", [("message", "a", "")]),
    "typed": (b"event: x.y\ndata: a\n\n", [("x.y", "a", "")]),
    "several lines": (b"data: a\ndata\ndata: b\n\n", [("message", "a\n\nb", "")]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [("message", "a", ""), ("message", "b", "")]),
    "both": (
        b"id: 1\r\ndata: a\r\n\r\ndata: b\r\n\r\n",
        [("message", "a", "1"), ("message", "b", "1")],
    ),
    "mixed line ends": (b"data: a\r\ndata: b\rdata: c\n\r\n", [("message", "a\nb\nc", "")]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [("message", "a", "")]),
    "second mark is no mark": (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    "comments": (b": hello\n:\ndata: a\n: between\n\n", [("message", "a", "")]),
    "only comments": (b": hello\n\n", []),
    "one space goes": (b"data:  a\ndata:b\ndata:\tc\n\n", [("message", " a\nb\n\tc", "")]),
    "empty data counts": (b"event: keep-alive\ndata:\n\n", [("keep-alive", "", "")]),
    "no data, no event": (b"event: x\nid: 7\n\ndata: a\n\n", [("message", "a", "7")]),
    "id stays": (b"id: 7\ndata: a\n\ndata: b\n\n", [("message", "a", "7"), ("message", "b", "7")]),
    "id is emptied": (
        b"id: 7\ndata: a\n\nid\ndata: b\n\n",
        [("message", "a", "7"), ("message", "b", "")],
    ),
    "id with a NUL": (
        b"id: 7\ndata: a\n\nid: 8\x009\ndata: b\n\n",
        [("message", "a", "7"), ("message", "b", "7")],
    ),
    "unknown field": (b"date: a\nDATA: b\n data: c\n\n", []),
    "colons": (b"data: a:b: c\n\n", [("message", "a:b: c", "")]),
    "empty name": (b"event:\ndata: a\n\n", [("message", "a", "")]),
    "unfinished": (b"data: a\n\ndata: b\n", [("message", "a", "")]),
    "beyond ASCII": ("event: é\ndata: 日本 🎉\n\n".encode(), [("é", "日本 🎉", "")]),
    "not UTF-8": (b"data: a\xff\xe2\x82b\n\n", [("message", "a\ufffd\ufffdb", "")]),
    "other separators are text": (
        "data: a\u2028b\x0bc\x85\n\n".encode(),
        [("message", "a\u2028b\x0bc\x85", "")],
    ),
}


def parse(page: Page, stream: bytes) -> dict[str, Any]:
    script = "async (bytes) => (await import('/tests/parser.js')).parseCut(bytes)"
    answer: dict[str, Any] = page.evaluate(script, list(stream))
    assert "differs" not in answer
    return answer


def events(answer: dict[str, Any]) -> list[Event]:
    return [(event["type"], event["data"], event["lastEventId"]) for event in answer["events"]]


def test_the_corpus_wherever_it_is_cut(module: Page) -> None:
    for name, (stream, expected) in CORPUS.items():
        assert (name, events(parse(module, stream))) == (name, expected)


@pytest.mark.parametrize(
    ("stream", "retry"),
    [
        (b"retry: 1500\n\n", 1500),
        (b"retry:0\n\n", 0),
        (b"retry: -1\n\n", None),
        (b"retry: 1.5\n\n", None),
        (b"retry: 10s\n\n", None),
        (b"retry\n\n", None),
        ("retry: ١٢\n\n".encode(), None),
        (b"retry: 20\nretry: x\n\n", 20),
    ],
)
def test_a_delay_is_made_of_digits(module: Page, stream: bytes, retry: int | None) -> None:
    assert parse(module, stream)["retry"] == retry


def test_an_id_counts_with_its_event_and_not_before(module: Page) -> None:
    assert parse(module, b"id: 1\ndata: a\n\nid: 2\ndata: b\n")["lastEventId"] == "1"
    assert parse(module, b"id: 1\n\n")["lastEventId"] == "1"


def test_it_tells_an_event_without_an_id_of_its_own(module: Page) -> None:
    answer = parse(module, b"id: 1\ndata: a\n\ndata: b\n\n")
    assert [event["identified"] for event in answer["events"]] == [True, False]


def test_random_streams_as_another_parser_reads_them(module: Page) -> None:
    dice = random.Random(8)
    pieces = [
        "data: ",
        "data",
        "id: ",
        "event: x",
        "retry: ",
        ":",
        "1",
        "é",
        " ",
        "\n",
        "\n",
        "\n\n",
    ]
    for _ in range(150):
        text = "".join(dice.choice(pieces) for _ in range(dice.randint(1, 40))) + "\n\n"
        theirs = []
        decoder = SSEDecoder()
        for line in text.split("\n")[:-1]:
            event = decoder.decode(line)
            # httpx-sse also reports events without data, which the standard drops.
            if event is not None and line == "" and has_data(event):
                theirs.append((event.event, event.data, event.id))
        assert (text, [e for e in events(parse(module, text.encode())) if e[1]]) == (text, theirs)


def has_data(event: Any) -> bool:
    return bool(event.data)
