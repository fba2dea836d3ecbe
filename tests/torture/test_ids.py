"""Event ids that no client was ever given, or that mean nothing any more: never a silent gap."""

import asyncio
import random
import string
from collections import Counter
from urllib.parse import quote_from_bytes

from tests.torture.clients import Client
from tests.torture.report import record

COUNT = 10_000
CHANNEL = "private-user.1"
NONCE = string.ascii_letters + string.digits + "_"


def fuzzed(ids, random):
    """A kind of id that can't be resumed from, and one of that kind; `ids` are the log's own."""
    seq, _, nonce = random.choice(ids).partition("-")
    kind = random.choice(("old", "future", "foreign", "altered", "garbage", "long", "control"))
    if kind == "old":
        return kind, f"{random.randrange(10)}-{nonce}".encode()
    if kind == "future":
        return kind, f"{int(seq) + random.choice((10**3, 10**9, 10**17))}-{nonce}".encode()
    if kind == "foreign":
        return kind, f"{seq}-{''.join(random.choices(NONCE, k=8))}".encode()
    if kind == "altered":
        text = list(f"{seq}-{nonce}")
        text[random.randrange(len(text))] = random.choice("-+.eE _%xX٣\u00e9\u2028")
        return kind, "".join(text).encode()
    if kind == "garbage":
        return kind, random.randbytes(random.randrange(1, 60))
    if kind == "long":
        return kind, random.choice((b"9", b"-", b"a", b"1-", b"\xff")) * random.randrange(41, 4000)
    return (
        kind,
        f"{seq}-{nonce}{random.choice(CONTROL)}event: evil{random.choice(CONTROL)}".encode(),
    )


CONTROL = (
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\n\n",
    "\r\n\r\n",
    "\u2028",
    "\x0b",
    "\x85",
    "\n\ndata: x\n\n",
)


def client(server, token, text, by_header):
    """One that resumes from `text`; by the query where no header can carry it."""
    if by_header and not set(text) & set(b"\r\n") and text.strip():
        return Client(server.port, [CHANNEL], token, last_event_id=text)
    query = b"&lastEventId=" + quote_from_bytes(text).encode()
    return Client(server.port, [CHANNEL], token, query=query)


async def answer(client):
    """The status, and the types of the first events."""
    await client.open()
    for _ in range(500):
        if client.events or client.lost_at or client.status >= 400:
            break
        await asyncio.sleep(0.02)
    client.drop()
    return client.status, tuple(kind for _, _, kind, _ in client.events)


async def answers(clients):
    found = []
    for start in range(0, len(clients), 40):
        found += await asyncio.gather(*map(answer, clients[start : start + 40]))
    return found


def log_of_a_pruned_server(make_server):
    """A server whose oldest events are gone, and the ids of those that are left."""
    server = make_server()
    server.shell(f"import realtime\nfor n in range(60): realtime.trigger('{CHANNEL}', 'note', n)")
    server.manage("realtime_prune", "--max-events", "30")
    rows = server.query("SELECT seq, nonce FROM realtime_event WHERE seq IS NOT NULL")
    return server, [f"{seq}-{nonce}" for seq, nonce in rows]


def test_an_id_that_means_nothing_is_a_reset_or_a_400(make_server):
    server, ids = log_of_a_pruned_server(make_server)
    dice = random.Random(1)
    cases = [fuzzed(ids, dice) for _ in range(COUNT)]
    valid = {text.encode() for text in ids}
    cases = [(kind, text) for kind, text in cases if text not in valid]
    token = server.token()
    clients = [client(server, token, text, n % 2) for n, (_, text) in enumerate(cases)]
    outcomes = Counter()
    wrong = []
    for case, outcome in zip(cases, asyncio.run(answers(clients)), strict=True):
        good = outcome in ((200, (b"stream-reset",)), (400, ()))
        outcomes[outcome[0]] += 1
        if not good:
            wrong.append((case, outcome))
    record(
        "Event ids",
        how="old, future, foreign, altered, garbage, long, with control characters; by header and"
        " by query",
        count=len(cases),
        worst=f"{len(wrong)} without an answer in words; resets: {outcomes[200]:,}, 400:"
        f" {outcomes[400]:,}, 5xx: {sum(outcomes[n] for n in range(500, 600))}",
        goal="always a reset or a 400, 0 5xx",
        command='make torture ARGS="-k test_ids"',
    )
    assert not wrong, wrong[:10]
    # And an id that means something is no reset.
    resuming = client(server, token, ids[-2].encode(), by_header=True)
    assert asyncio.run(answers([resuming])) == [(200, (b"note",))]
