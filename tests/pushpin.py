"""A real Pushpin of the tests' own, with the zurl it needs, on free ports."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from tests.ports import DEADLINE, free_port
from tests.services import Service, service_folder

KEY = "shared-by-pushpin-and-the-tests-alone"
ISSUER = "tests"
PROGRAMS = ("pushpin", "pushpin-proxy", "pushpin-handler", "condure", "zurl")

_SETTINGS = """
[global]
include={libdir}/internal.conf
rundir={folder}
ipc_prefix=p-
port_offset=0

[runner]
services=condure,zurl,pushpin-proxy,pushpin-handler
http_port=127.0.0.1:{port}
logdir={folder}
log_level={log_level}
client_maxconn=1000

[proxy]
routesfile=routes
x_forwarded_for=truncate:0,append
sig_iss=pushpin
sig_key={key}
updates_check=off
zurl_out_specs=ipc://{folder}/p-zurl-in
zurl_out_stream_specs=ipc://{folder}/p-zurl-in-stream
zurl_in_specs=ipc://{folder}/p-zurl-out

[handler]
push_in_http_addr=127.0.0.1
push_in_http_port={control_port}
push_in_http_max_headers_size=10000
push_in_http_max_body_size=1000000
message_rate=2500
message_hwm=25000
id_cache_ttl=60
push_in_spec=ipc://{folder}/p-push-in
push_in_sub_specs=ipc://{folder}/p-push-in-sub
command_spec=ipc://{folder}/p-command
"""


class Pushpin(Service):
    """A proxy in front of a server's port; publishing goes to `control_port`."""

    def __init__(self, target: int, control_port: int | None = None) -> None:
        super().__init__(service_folder())
        self.control_port = control_port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        settings = _SETTINGS
        for name, value in {
            "{folder}": str(self.folder),
            "{port}": str(self.port),
            "{control_port}": str(self.control_port),
            "{key}": KEY,
            "{log_level}": os.environ.get("PUSHPIN_LOG_LEVEL", "2"),
        }.items():
            settings = settings.replace(name, value)
        (self.folder / "pushpin.conf").write_text(settings)
        (self.folder / "routes").write_text(f"* 127.0.0.1:{target}\n")

    def command(self) -> list[str]:
        return ["pushpin", f"--config={self.folder / 'pushpin.conf'}", "--merge-output"]

    def answers(self) -> bool:
        with suppress(httpx.TransportError):
            return (
                httpx.get(f"http://127.0.0.1:{self.control_port}/", timeout=5).status_code == 200
                and httpx.get(f"{self.url}/api/events/", timeout=5).status_code == 400
            )
        return False

    def kill(self) -> None:
        """Ends all of its processes at once: they don't end with the one that started them."""
        if self.process is not None and self.process.poll() is None:
            for pid in reversed(self.pids()):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(DEADLINE)


@pytest.fixture(scope="session")
def make_pushpin() -> Iterator[Callable[..., Pushpin]]:
    """Starts Pushpins in front of servers' ports; all are ended with the tests."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing:
        pytest.skip(f"Not installed: {', '.join(missing)} (Debian's packages pushpin and zurl)")
    proxies: list[Pushpin] = []

    def make(*arguments: int) -> Pushpin:
        proxies.append(Pushpin(*arguments))
        proxies[-1].start()
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.kill()
        shutil.rmtree(proxy.folder)
