from realtime.events import EventId
from realtime.grip.holds import Hold, Last, ProxyHold, signature, without

SEVEN, NINE = EventId(7, "abcdefgh"), EventId(9, "abcdefgh")
FEED = "0123456789abcdef" * 2


def wire(headers):
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


def test_instructions_read_back():
    hold = Hold(("a", "private-x.1"), SEVEN, 15.0, '[1,"s","",""]')
    assert Hold.parse(wire(hold.headers())) == hold
    hold = Hold(("a",), SEVEN, 15.0, '[1,"form=x, grant="]', slot=3, form="another")
    assert Hold.parse(wire(hold.headers())) == hold


def test_whatever_a_member_tells_of_itself_is_read_back():
    member = '["7",{"name":"Zoë, grant=[]; slot=9\\n%"}]'
    hold = Hold(("presence-a",), SEVEN, 15.0, '[1,"s, member=","",""]', 3, member)
    assert Hold.parse(wire(hold.headers())) == hold


def test_an_ordinary_answer_has_none():
    assert Hold.parse([(b"content-type", b"text/html")]) is None


def test_the_headers_are_those_of_grip():
    headers = Hold(("a", "b"), SEVEN, 15.0).headers()
    assert headers == {
        "Grip-Hold": "stream",
        "Grip-Channel": "a; prev-id=7-abcdefgh, b; prev-id=7-abcdefgh",
        "Grip-Keep-Alive": "event: keep-alive\\ndata:\\n\\n; format=cstring; timeout=15",
    }


def test_instructions_are_not_for_clients():
    hold = Hold(("a",), SEVEN, 15.0, "[]")
    assert without([*wire(hold.headers()), (b"vary", b"Accept")]) == [(b"vary", b"Accept")]


def test_a_proxy_is_told_the_feed_the_position_and_where_to_ask():
    hold = ProxyHold(FEED, SEVEN, NINE, keep_alive=14.9, link="/next/", interval=20.0)
    assert hold.headers() == {
        "Grip-Hold": "stream",
        "Grip-Channel": (
            f"realtime-{FEED}; prev-id=7-abcdefgh, realtime-{FEED}-aside,"
            " realtime-position; prev-id=9-abcdefgh"
        ),
        "Grip-Keep-Alive": "event: keep-alive\\ndata:\\n\\n; format=cstring; timeout=14",
        "Grip-Link": "</next/>; rel=next; timeout=20",
    }


def test_a_proxy_counts_in_whole_seconds_and_not_in_none():
    headers = ProxyHold(FEED, SEVEN, NINE, keep_alive=0.3, link="/next/", interval=0.3).headers()
    assert headers["Grip-Keep-Alive"].endswith("; timeout=1")
    assert headers["Grip-Link"].endswith("; timeout=1")


def test_what_a_proxy_says_is_read_back():
    # As Pushpin sends it, in two headers that a server joins.
    last = Last.parse(f"realtime-position; last-id={NINE},realtime-{FEED}; last-id={SEVEN}")
    assert last == Last(FEED, SEVEN, NINE)
    assert last.upto == NINE
    assert Last.parse(f"realtime-{FEED}; last-id={NINE}").upto == NINE


def test_what_no_proxy_says_is_not_believed():
    assert Last.parse("") == Last()
    assert Last.parse("realtime-position; last-id=x, private-a; last-id=1") == Last()
    assert Last.parse(f"realtime-{FEED}-aside; last-id={SEVEN}") == Last()
    assert Last.parse(f"realtime-{FEED}").last is None
    assert Last().upto is None


def test_of_several_signatures_none_counts():
    assert signature([(b"grip-sig", b"a"), (b"vary", b"b")]) == "a"
    assert signature([(b"grip-sig", b"a"), (b"grip-sig", b"a")]) is None
    assert signature([]) is None
