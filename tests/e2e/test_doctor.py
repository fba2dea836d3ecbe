"""``realtime_doctor`` and what may stand before a server: proxies that do what they should not."""

import gzip
import subprocess
import sys
import threading
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from realtime import probes
from tests.servers import DEADLINE, ROOT
from tests.streams import Stream

# What faults let pass last of a stream. A proxy that is too impatient for keep-alives may be lucky
# once: the first one comes at any moment.
LAST = {"cut": b"event: probe", "cut while quiet": b"event: keep-alive"}


class BadProxy(ThreadingHTTPServer):
    """Passes requests on to a server, but for its one fault."""

    daemon_threads = True

    def __init__(self, target, fault):
        super().__init__(("127.0.0.1", 0), Handler)
        self.target, self.fault = target, fault
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        fault = self.server.fault
        headers = dict(self.headers)
        if fault == "strip":
            headers.pop("Last-Event-ID", None)
        # What it asks for itself need not be compressed.
        headers["Accept-Encoding"] = "identity"
        url = self.server.target + self.path
        with (
            suppress(OSError, httpx.HTTPError),
            httpx.stream("GET", url, headers=headers, timeout=DEADLINE) as answer,
        ):
            self.send_response(answer.status_code)
            is_stream = answer.headers["Content-Type"].startswith("text/event-stream")
            for name in ("Content-Type", "Cache-Control", "Location"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            if is_stream and fault == "compress":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            for chunk in answer.iter_raw():
                if is_stream and fault == "buffer":
                    continue
                self.wfile.write(
                    gzip.compress(chunk) if fault == "compress" and is_stream else chunk
                )
                if is_stream and LAST.get(fault, b"\n\n\n") in chunk:
                    return


@pytest.fixture
def proxy_of(server):
    """Makes proxies before the server."""
    proxies = []

    def make(fault):
        proxies.append(BadProxy(server.url, fault))
        return proxies[-1].url

    yield make
    for proxy in proxies:
        proxy.close()


def doctor(server, *arguments):
    command = [sys.executable, str(ROOT / "manage.py"), "realtime_doctor", *arguments]
    answer = subprocess.run(
        command, env=server.environ, cwd=ROOT, check=False, capture_output=True, text=True
    )
    return answer.returncode, answer.stdout, answer.stderr


@pytest.mark.parametrize(("fault", "said"), [
    ("buffer", "something before the server buffers"),
    ("compress", "compresses it (gzip)"),
    ("strip", "Last-Event-ID does not get through"),
    ("cut", "It was cut"),
    ("cut while quiet", "It was cut"),
])  # fmt: skip
def test_it_names_what_a_proxy_does(server, proxy_of, fault, said):
    code, told, error = doctor(server, proxy_of(fault), "--patience", "3")
    (line,) = [line for line in told.splitlines() if said in line]
    assert line.startswith("problem  stream: ")
    assert " -> " in line
    assert code == 1
    assert error.startswith("CommandError: 1 problem, ")


def test_a_stream_that_lives_from_one_keep_alive_to_the_next_is_well(server, proxy_of):
    code, told, _ = doctor(server, proxy_of("none"))
    last = [line for line in told.splitlines() if " stream: " in line][-1]
    assert last.startswith("ok       stream: Two keep-alives came, ")
    assert code == 0


def test_it_says_what_it_was_too_impatient_to_look_at(server):
    code, told, _ = doctor(server, server.url, "--patience", "1.5")
    (line,) = [line for line in told.splitlines() if "was not looked at" in line]
    assert line.startswith("warning  stream: ")
    assert code == 0


def test_a_probe_s_channel_is_made_with_the_secret_key_alone(server):
    # This process has another one.
    with closing(Stream(server.url, [probes.name()])) as stream:
        assert stream.rest() == []
    assert stream.response.status_code == 401
    name = server.shell("from realtime import probes; print(probes.name())").split()[-1]
    with closing(Stream(server.url, [name])) as stream:
        stream.opened()
