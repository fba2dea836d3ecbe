"""Line breaks and NUL in all that ends up in a frame: nobody can make a frame of their own."""

import json
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from httpx_sse import connect_sse

from tests.streams import Stream
from tests.torture.report import record

TRIGGERED, WRITTEN, RESUMED = 8_000, 1_000, 1_000
CHANNEL = "private-todo-list.1"
EVIL = (
    "\n", "\r", "\r\n", "\0", "\n\n", "\r\r", "\r\n\r\n", "\x85", "\u2028", "\u2029", "\ufeff",
    "id: 1-aaaaaaaa\n", "event: evil\n", "data: evil\n\n", "retry: 1\n", ":", "\x1b",
    "\n\nevent: evil\ndata: x\n\n", "\ud800", "\U0001f600", "a", "é", "-", " ", ".", "\\n",
    "\\u000a", '"', "}", "0\r\n\r\n",
)  # fmt: skip

TRIGGER = """
import json, sys
from django.db import transaction
import realtime
from realtime.exceptions import InvalidChannel, InvalidEvent
accepted = []
with transaction.atomic():
    for number, (channel, kind, data) in enumerate(json.load(sys.stdin)):
        try:
            realtime.trigger(channel, kind, data)
            accepted.append(number)
        except (InvalidChannel, InvalidEvent):
            pass
    realtime.trigger("private-todo-list.1", "last", None)
print(json.dumps(accepted))
"""


def text(dice, longest=6):
    return "".join(dice.choices(EVIL, k=dice.randrange(1, longest)))


def case(dice):
    """A channel, a type and data, of which at least one is nasty."""
    nasty = dice.randrange(4)
    channel = CHANNEL + text(dice) if nasty == 0 else CHANNEL
    kind = text(dice) if nasty in (1, 3) else "note"
    data = {text(dice): [text(dice), {text(dice): text(dice)}]} if nasty > 1 else text(dice)
    return channel, kind, data


def through_json(value):
    """As JSON in UTF-8 carries it."""
    return json.loads(json.dumps(value))


@pytest.fixture(scope="module")
def target(make_server):
    return make_server()


def triggered(server, dice):
    """Fuzzed events by `realtime.trigger`: how many got in, and which came that should not have."""
    cases = [case(dice) for _ in range(TRIGGERED)]
    with Stream(server.url, [CHANNEL], token=server.token()) as stream:
        stream.opened()
        command = ("shell", "-v0", "-c", TRIGGER)
        printed = server.manage(*command, input=json.dumps(cases).encode())
        accepted = json.loads(printed.splitlines()[-1])
        found = stream.until(lambda event: event.event == "last")[:-1]
    # Some of the channels are only others.
    here = [cases[number] for number in accepted if cases[number][0] == CHANNEL]
    wanted = [(kind, through_json(data)) for _, kind, data in here]
    came = [(event.event, json.loads(event.data)["data"]) for event in found]
    return len(wanted), differences(wanted, came)


def written(server, dice):
    """Fuzzed texts and mutation ids by REST."""
    wanted = []
    token = server.token()
    with Stream(server.url, [CHANNEL], token=token) as stream, server.client() as api:
        stream.opened()
        for _ in range(WRITTEN):
            body = json.dumps({"todo_list": 1, "text": text(dice)})
            headers = {"Content-Type": "application/json", "X-Mutation-ID": header(dice)}
            answer = api.post("/api/todo-items/", content=body, headers=headers)
            assert answer.status_code in (201, 400), answer.text
            if answer.status_code == 201:
                wanted.append(("todo-item.created", answer.json()))
        api.delete(f"/api/todo-items/{wanted[-1][1]['id']}/")
        found = stream.until(lambda event: event.event == "todo-item.deleted")[:-1]
    came = [(event.event, json.loads(event.data)["data"]) for event in found]
    return len(wanted), differences(wanted, came)


def header(dice):
    """What a client that does not check its headers may send in one."""
    return text(dice, 3).encode("utf-8", "replace").translate(None, b"\r\n\0").strip() or b"x"


def resumed(server, dice):
    """Fuzzed last event ids in the query: whether anything of them comes back."""
    headers = {"Authorization": f"Token {server.token()}"}

    def types(last_event_id):
        params = {"channel": CHANNEL, "lastEventId": last_event_id.encode("utf-8", "replace")}
        with (
            httpx.Client(base_url=server.url, headers=headers, timeout=20) as client,
            connect_sse(client, "GET", "/api/events/", params=params) as source,
        ):
            if source.response.status_code == 400:
                return ()
            events = source.iter_sse()
            return next(events).event, next(events).event

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(types, [text(dice) for _ in range(RESUMED)]))
    good = ((), ("stream-open", "stream-reset"))
    return RESUMED, [outcome for outcome in found if outcome not in good]


def differences(wanted, came):
    """What came and was not sent so, and the reverse."""
    wrong = [pair for pair in zip(wanted, came, strict=False) if pair[0] != pair[1]]
    return wrong + came[len(wanted) :] + wanted[len(came) :]


def test_nobody_can_make_a_frame_of_their_own(target):
    dice = random.Random(1)
    numbers, wrong = Counter(), []
    for name, source in {"trigger": triggered, "REST": written, "ids": resumed}.items():
        numbers[name], strange = source(target, dice)
        wrong += strange
    record(
        "CR, LF, NUL injected",
        how="in channels, types and data of realtime.trigger, REST texts and mutation ids, and last"
        " event ids; read by httpx-sse",
        count=TRIGGERED + WRITTEN + RESUMED,
        worst=f"{len(wrong)} frames that nobody sent; {numbers['trigger']:,} triggered and"
        f" {numbers['REST']:,} written events arrived as they were, the others were refused",
        goal="0 injected frames in 10,000",
        command='make torture ARGS="-k injection"',
    )
    assert not wrong, wrong[:5]
    assert min(numbers.values()) > 100
