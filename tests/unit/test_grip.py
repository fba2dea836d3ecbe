from realtime.events import EventId
from realtime.grip import Hold, without


def wire(headers):
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def test_instructions_read_back():
    hold = Hold(("a", "private-x.1"), EventId(7, "abcdefgh"), 15.0, '[1,"s","",""]')
    assert Hold.parse(wire(hold.headers())) == hold


def test_an_ordinary_answer_has_none():
    assert Hold.parse([(b"content-type", b"text/html")]) is None


def test_the_headers_are_those_of_grip():
    headers = Hold(("a", "b"), EventId(7, "abcdefgh"), 15.0).headers()
    assert headers == {
        "Grip-Hold": "stream",
        "Grip-Channel": "a; prev-id=7-abcdefgh, b; prev-id=7-abcdefgh",
        "Grip-Keep-Alive": "event: keep-alive\\ndata:\\n\\n; format=cstring; timeout=15",
    }


def test_instructions_are_not_for_clients():
    hold = Hold(("a",), EventId(7, "abcdefgh"), 15.0, "[]")
    assert without([*wire(hold.headers()), (b"vary", b"Accept")]) == [(b"vary", b"Accept")]
