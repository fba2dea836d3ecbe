"""What stands in front of a server or a database in production: nginx and PgBouncer."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.services import Postgres, Service, service_folder

DEPLOYMENT = Path(__file__).resolve().parent.parent / "docs" / "deployment.md"


def document_block(language: str, first_line: str) -> str:
    """The block of docs/deployment.md in a language whose first line begins like this."""
    blocks = re.findall(rf"```{language}\n(.*?)```", DEPLOYMENT.read_text(), re.S)
    (block,) = (block for block in blocks if block.startswith(first_line))
    return str(block)


class PgBouncer(Service):
    """Debian's PgBouncer before a PostgreSQL, giving each transaction a connection."""

    def __init__(self, folder: Path, target: Postgres) -> None:
        super().__init__(folder)
        (folder / "pgbouncer.ini").write_text(
            f"""[databases]
* = host=127.0.0.1 port={target.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 5
"""
        )

    def command(self) -> list[str]:
        return [_program("pgbouncer"), str(self.folder / "pgbouncer.ini")]

    def options(self) -> dict[str, Any]:
        # It refuses to run as root.
        return super().options() | ({"user": "postgres"} if os.getuid() == 0 else {})

    def url(self, database: str) -> str:
        """For ``DATABASE_URL``."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError), closing(psycopg.connect(self.url("postgres"))):
            return True
        return False


class Nginx(Service):
    """Debian's nginx with the document's own site, before a server on a port; `certificate` is its
    own."""

    def __init__(self, folder: Path, target: int) -> None:
        super().__init__(folder)
        self.certificate = folder / "todos.pem"
        key = folder / "todos.key"
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                "-subj", "/CN=todos.example.org", "-addext", "subjectAltName=DNS:todos.example.org",
                "-keyout", str(key), "-out", str(self.certificate),
            ],
            check=True, capture_output=True,
        )  # fmt: skip
        site = document_block("nginx", "# /etc/nginx/sites-available/todos")
        for old, new in {
            "listen 80;": "",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "/etc/ssl/certs/todos.pem": str(self.certificate),
            "/etc/ssl/private/todos.key": str(key),
            "127.0.0.1:8000": f"127.0.0.1:{target}",
        }.items():
            assert old in site, old
            site = site.replace(old, new)
        # Without a listen of its own, the server that redirects would be on port 80.
        site = site[site.rindex("server {") :]
        self.configuration = folder / "nginx.conf"
        self.configuration.write_text(
            f"pid {folder}/nginx.pid; error_log stderr; daemon off; events {{}}\n"
            f"http {{ access_log off;\n{site}\n}}\n"
        )

    def command(self) -> list[str]:
        return [_program("nginx"), "-e", "stderr", "-p", str(self.folder), "-c",
                str(self.configuration)]  # fmt: skip

    def answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return True
        return False


def _program(name: str) -> str:
    # Not in the path of everybody who may run them.
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") or ""


@pytest.fixture
def front() -> Iterator[Callable[..., Service]]:
    """Starts an `Nginx` or a `PgBouncer` before what it is given; they end with the test."""
    services: list[Service] = []

    def make(kind: type[Service], *target: Any) -> Service:
        if not _program(kind.__name__.lower()):
            pytest.skip(f"{kind.__name__.lower()} is not installed")
        services.append(kind(service_folder(), *target))
        return services[-1].start()

    yield make
    for service in services:
        service.stop()
        shutil.rmtree(service.folder)
