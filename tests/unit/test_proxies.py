"""Which requests come from a proxy, and what is published to it."""

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest
from django.core.exceptions import ImproperlyConfigured

from api.env import Environment
from realtime.conf import from_environ
from realtime.events import Event, EventId
from realtime.exceptions import ProxyUnavailable
from realtime.grip import proxies
from realtime.grip.proxies import Proxy

KEY = "a key of as many letters as it takes"
BEFORE, AT = EventId(7, "abcdefgh"), EventId(9, "ijklmnop")


def token(key=KEY, **claims):
    return jwt.encode({"exp": time.time() + 3600} | claims, key)


def proxy(query=f"key={KEY}"):
    return Proxy(f"http://127.0.0.1:1/?{query}")


def test_who_has_the_key_is_a_proxy():
    assert proxy().signed(token(iss="whoever"))


FORGED = {
    "empty": "",
    "garbage": "a.b.c",
    "another key": token(key="another key of as many letters as that"),
    "expired": token(exp=time.time() - 60),
    "endless": jwt.encode({"iss": "x"}, KEY),
    "unsigned": jwt.encode({"exp": time.time() + 3600}, "", algorithm="none"),
    "until tomorrow": token(exp="tomorrow"),
    "for others": token(aud="somebody else"),
    "cut off": token().rpartition(".")[0] + ".",
    "no UTF-8": "\udcff" + token(),
    "no ASCII": "\xff.\xff.\xff",
    "deep": base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".e30.e30",
}


@pytest.mark.parametrize("kind", FORGED)
def test_nobody_else_is(kind):
    assert not proxy().signed(FORGED[kind])


def test_an_issuer_may_be_asked_for():
    strict = proxy(f"key={KEY}&verify-iss=pushpin")
    assert strict.signed(token(iss="pushpin"))
    assert not strict.signed(token(iss="other"))
    assert not strict.signed(token())


def test_a_key_may_be_binary():
    key = bytes(range(32))
    coded = base64.b64encode(key).decode()
    assert proxy(f"key=base64:{coded}").signed(token(key=key))


def test_each_of_several_proxies_has_its_key(settings):
    assert not proxies.signed(token())
    settings.REALTIME_GRIP_URL = f"http://127.0.0.1:1?key={KEY}, http://127.0.0.1:2?key={KEY[::-1]}"
    assert proxies.signed(token())
    assert proxies.signed(token(key=KEY[::-1]))
    assert not proxies.signed(token(key=KEY.upper()))
    assert not proxies.signed(None)


@pytest.mark.parametrize(
    "url", ["redis://a?key=b", "http://a", "http://?key=b", "http://a:x?key=b", "http://a?key=b,"]
)
@pytest.mark.parametrize("name", ["GRIP_URL", "REALTIME_GRIP_URL"])
def test_a_proxy_without_address_or_key_is_refused(name, url):
    with pytest.raises(ImproperlyConfigured, match=f"{name} is wrong: it must be a URL like") as e:
        read = Environment({name: url}).proxies if name == "GRIP_URL" else from_environ
        read(name if name == "GRIP_URL" else {name: url})
    assert url not in str(e.value)


def test_the_environment_names_the_proxies():
    url = "http://127.0.0.1:5561?iss=pushpin&key=changeme,https://example.org/a/?key=b"
    assert from_environ({"REALTIME_GRIP_URL": url}) == {"REALTIME_GRIP_URL": url}
    assert Environment({"GRIP_URL": url}).proxies("GRIP_URL") == url
    assert Environment({"GRIP_URL": ""}).proxies("GRIP_URL") == ""


@pytest.fixture
def control():
    """A proxy's control port, which keeps what it gets."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.server.got.append((self.path, self.headers["Authorization"], body))
            self.send_response(self.server.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.got, httpd.status, httpd.daemon_threads = [], 200, True
    httpd.url = f"http://127.0.0.1:{httpd.server_address[1]}/"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
    thread.start()
    yield httpd
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_items_have_their_ids_and_those_before_them(control):
    event = Event("a", "greeted", '"\u00fc"', id=AT)
    Proxy(f"{control.url}?iss=me&key={KEY}").publish([proxies.event("f", event, BEFORE)])
    path, authorization, body = control.got[0]
    assert path == "/publish/"
    assert jwt.decode(authorization.removeprefix("Bearer "), KEY, ["HS256"])["iss"] == "me"
    assert json.loads(body)["items"] == [
        {
            "channel": "realtime-f",
            "id": "9-ijklmnop",
            "prev-id": "7-abcdefgh",
            "http-stream": {
                "content": "id: 9-ijklmnop\nevent: greeted\n"
                'data: {"channel":"a","data":"\u00fc"}\n\n'
            },
        }
    ]


def test_what_has_no_id_goes_aside():
    assert proxies.ephemeral("f", Event("a", "typing", "{}"))["channel"] == "realtime-f-aside"
    assert "id" not in proxies.ephemeral("f", Event("a", "typing", "{}"))
    assert proxies.hint("f")["channel"] == "realtime-f"
    assert proxies.hint("f", urgent=True)["channel"] == "realtime-f-aside"
    assert proxies.hint("f")["http-stream"] == {"action": "hint"}


def test_much_goes_in_several_requests_in_order(control):
    events = [
        Event("a", "x", json.dumps("y" * 90_000), id=EventId(n, "abcdefgh")) for n in range(20)
    ]
    Proxy(f"{control.url}?key={KEY}").publish(proxies.event("f", e, BEFORE) for e in events)
    assert len(control.got) > 3
    assert all(len(body) < 600_000 for _, _, body in control.got)
    items = [item for _, _, body in control.got for item in json.loads(body)["items"]]
    assert [item["id"] for item in items] == [str(event.id) for event in events]


def test_what_no_request_could_hold_is_not_published():
    assert proxies.event("f", Event("a", "x", json.dumps("y" * 300_000), id=AT), BEFORE) is None


def test_a_proxy_that_refuses_or_is_away_is_unavailable(control):
    item = proxies.hint("f")
    control.status = 403
    with pytest.raises(ProxyUnavailable, match="403"):
        Proxy(f"{control.url}?key={KEY}").publish([item])
    with pytest.raises(ProxyUnavailable) as error:
        proxy().publish([item])
    assert KEY not in str(error.value)
