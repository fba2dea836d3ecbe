"""Whose ids requests have."""

import contextvars
from concurrent.futures import ThreadPoolExecutor

import pytest

from realtime import tracing


@pytest.mark.parametrize("name", ["a", "7f3e", "Root=1-67891233-abcdef", "a/b+c=", "x" * 128])
def test_a_sane_id_is_taken(name):
    headers = [(b"accept", b"*/*"), (b"x-request-id", name.encode())]
    assert tracing.identify(headers) == (name, headers)


@pytest.mark.parametrize(
    "names",
    [[], [b""], [b"a b"], [b"a\nb"], [b"\xff"], [b"x" * 129], [b"a", b"b"], [b'a"b'], [b"="]],
)
def test_any_other_is_replaced(names):
    headers = [(b"accept", b"*/*"), *((b"x-request-id", name) for name in names)]
    made, found = tracing.identify(headers)
    assert len(made) == 32
    assert found == [(b"accept", b"*/*"), (b"x-request-id", made.encode())]
    assert tracing.identify(headers)[0] != made


def test_a_thread_works_for_the_request_that_has_sent_it():
    with ThreadPoolExecutor(1) as pool:
        with tracing.request("one"):
            carried = tracing.carried(tracing.current)
        assert pool.submit(carried).result() == "one"
        assert pool.submit(tracing.current).result() == ""


def test_the_answer_has_it_once():
    def check():
        with tracing.request("one"):
            assert tracing.signed([(b"x-request-id", b"other"), (b"a", b"b")]) == [
                (b"a", b"b"),
                (b"x-request-id", b"one"),
            ]
        assert tracing.signed([(b"a", b"b")]) == [(b"a", b"b")]

    contextvars.Context().run(check)
