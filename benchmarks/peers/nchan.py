"""nginx with nchan."""

import shutil
from pathlib import Path

from benchmarks.peers.base import Process
from benchmarks.peers.environment import missing_program

MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
load_module {module};
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    nchan_shared_memory_size 256M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location = /sub {{ nchan_subscriber eventsource; nchan_channel_id one; }}
        location = /pub {{
            nchan_publisher http; nchan_channel_id one;
            nchan_message_buffer_length 200; nchan_message_timeout 1m;
        }}
    }}
}}
"""


class Nchan(Process):
    """One nginx worker."""

    name = "nchan"
    note = "C, in nginx, one worker; no rights, the last 200 messages in memory"
    ready = "200 OK"
    replays = True

    @classmethod
    def missing(cls) -> str:
        if not MODULE.exists():
            return "Debian's libnginx-mod-nchan is not installed"
        return missing_program("nginx")

    def command(self) -> list[str]:
        path = self.folder / "nginx.conf"
        path.write_text(CONFIGURATION.format(folder=self.folder, port=self.port, module=MODULE))
        return [shutil.which("nginx") or "nginx", "-p", str(self.folder), "-c", str(path)]

    def requests(self) -> list[bytes]:
        return [b"GET /sub HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"]

    def publish(self) -> None:
        self.post("/pub", self.message().encode(), **{"X-EventSource-Event": "note"})
