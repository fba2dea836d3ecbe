"""Who has no right learns nothing, not even whether there is something; bad names are refused."""

import random
import re
import string
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote_from_bytes

import httpx
import pytest

from tests.torture.report import record

REQUESTS = 5000
NAMES = 5000
THREADS = 4
VALID = re.compile(rb"[-a-zA-Z0-9_=@,.;]{1,164}")
OWN = (b"date", b"x-request-id")


@pytest.fixture(scope="module")
def target(make_server):
    """A server, on which bob has a list that alice does not see, and had one that is deleted."""
    server = make_server(REALTIME_MAX_STREAMS_PER_USER="1000")
    with server.client("bob") as bob:
        foreign, deleted = (
            bob.post("/api/todo-lists/", json={"name": name}).json()["id"] for name in "ab"
        )
        bob.delete(f"/api/todo-lists/{deleted}/")
    yield server, foreign, deleted
    server.stop()


def channels(dice, foreign, deleted):
    """The channels of a request that alice may not make; what is unknown, and what is only hers to
    leave alone."""
    name = dice.choice(
        (
            lambda: f"private-todo-list.{foreign}",
            lambda: f"presence-todo-list.{foreign}",
            lambda: "private-user.2",
            lambda: f"private-todo-list.{deleted}",
            lambda: f"private-todo-list.{dice.randrange(100, 10**18)}",
            lambda: f"presence-todo-list.{dice.randrange(100, 10**30)}",
            lambda: f"private-user.{dice.randrange(100, 10**18)}",
            lambda: f"private-todo-list.0{foreign}",
            lambda: "realtime.control",
            lambda: dice.choice(("", "private-", "presence-")) + noise(dice),
        )
    )()
    others = dice.choice(([], [], ["private-user.1"], ["private-todo-list.1", "private-user.1"]))
    return dice.sample([name, *others], 1 + len(others))


def noise(dice):
    letters = string.ascii_letters + string.digits + "-_=@,.;"
    return "".join(dice.choices(letters, k=dice.randrange(1, 40)))


def whole(answer):
    """All of an answer but its date and the id of its request."""
    lines = [(name, value) for name, value in answer.headers.raw if name.lower() not in OWN]
    return answer.status_code, answer.reason_phrase, tuple(lines), answer.content


def each(function, cases):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(function, cases))


def test_what_is_not_ones_own_looks_as_if_it_did_not_exist(target):
    server, foreign, deleted = target
    dice = random.Random(3)
    logins = {
        "alice": {"Authorization": f"Token {server.token()}"},
        "nobody": {},
        "a wrong token": {"Authorization": "Token " + "0" * 40},
    }
    expected = {"alice": 403, "nobody": 401, "a wrong token": 401}
    forms = ("text/event-stream", "application/json", "*/*")
    cases = [
        (dice.choice(list(logins)), dice.choice(forms), channels(dice, foreign, deleted))
        for _ in range(REQUESTS)
    ]
    with httpx.Client(base_url=server.url, timeout=30) as client:

        def ask(case):
            login, form, names = case
            query = [("channel", name) for name in names]
            headers = {"Accept": form, **logins[login]}
            return whole(client.get("/api/events/", params=query, headers=headers))

        answers = each(ask, cases)
    different = defaultdict(Counter)
    for (login, form, _), answer in zip(cases, answers, strict=True):
        different[login, form][answer] += 1
    statuses = Counter(answer[0] for answer in answers)
    wrong = [key for key, kinds in different.items() if len(kinds) > 1]
    wrong += [
        key for key, kinds in different.items() if {k[0] for k in kinds} != {expected[key[0]]}
    ]
    record(
        "Anonymous, no right",
        table="abuse",
        how="lists of others, deleted ones, users, ids and names that there are not, alone and"
        " among one's own; logged in, not, and wrongly; all bytes of the answers but the date and"
        " the request's id",
        count=REQUESTS,
        worst=f"{len(wrong)} of {len(different)} kinds of request with more than one answer;"
        f" 401: {statuses[401]:,}, 403: {statuses[403]:,}",
        goal="401, 403; unknown and forbidden byte-identical",
        command='make torture ARGS="-k test_access"',
        quick="tests/e2e/test_streams.py",
    )
    assert not wrong, [different[key] for key in wrong]


def bad_or_many(dice):
    """Names of all kinds, as bytes; sometimes too many."""
    if dice.random() < 0.1:
        return [b"x%d" % n for n in range(dice.randrange(95, 106))]
    kind = dice.choice(("bytes", "long", "text", "almost"))
    if kind == "bytes":
        return [dice.randbytes(dice.randrange(0, 30))]
    if kind == "long":
        return [b"x" * dice.randrange(150, 180)]
    if kind == "text":
        return ["".join(dice.choices("ab.é٣\u2028😀 /\\\"'<>\r\n\0", k=8)).encode()]
    odd = dice.choice((b" ", b"\n", b"\r\n", b"\0", b"/", b"%", b"\xc2\xa0", b"", b"", b"+"))
    return [b"private-user." + odd + b"9"]


def test_bad_names_and_too_many_are_a_400(target):
    server, *_ = target
    dice = random.Random(4)
    cases = [bad_or_many(dice) for _ in range(NAMES)]
    headers = {"Authorization": f"Token {server.token()}"}
    with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:

        def ask(names):
            query = "&".join("channel=" + quote_from_bytes(name, safe="") for name in names)
            return client.get(f"/api/events/?{query}").status_code

        statuses = each(ask, cases)
    wrong = []
    for names, status in zip(cases, statuses, strict=True):
        good = len(names) <= 100 and all(VALID.fullmatch(name) for name in names)
        if status != (403 if good else 400):
            wrong.append((names[:3], len(names), status))
    counts = Counter(statuses)
    record(
        "More than 100 channels, bad names",
        table="abuse",
        how="random bytes, text of all kinds, names of about 164 characters, 95 to 105 channels",
        count=NAMES,
        worst=f"{len(wrong)} answered otherwise than by 400 for what is bad and 403 for what is"
        f" not; 400: {counts[400]:,}, 403: {counts[403]:,}",
        goal="400",
        command='make torture ARGS="-k test_access"',
        quick="tests/e2e/test_streams.py",
    )
    assert not wrong, wrong[:10]
