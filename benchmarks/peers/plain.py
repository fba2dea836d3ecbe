"""The limit: what the system's writes alone cost."""

from benchmarks.load import compiled
from benchmarks.peers.base import Process


class Plain(Process):
    """``native/plain.c``: one write for each event and stream, and nothing else."""

    name = "plain C epoll"
    note = "one `write` for each event and stream; no rights, no log, no channels"

    def command(self) -> list[str]:
        return [compiled("plain"), str(self.port)]

    def requests(self) -> list[bytes]:
        return [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"]

    def publish(self) -> None:
        self.post("/", f"id: 1234-abcdefgh\nevent: note\ndata: {self.message()}\n\n".encode())
