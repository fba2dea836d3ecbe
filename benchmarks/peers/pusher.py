"""What a client and a server say by Pusher's protocol."""

import json
import re
import time
from urllib.parse import urlencode

from realtime.signatures import App, body_md5

APP = App("1", "bench", "only-for-benchmarks")


def handshake() -> bytes:
    """The head of a request that opens a WebSocket."""
    return (
        f"GET /app/{APP.key}?protocol=7&client=bench&version=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def socket_id(message: str) -> str:
    """As a server's first message gives it; empty in any other message."""
    found = re.search(r"pusher:connection_established.*socket_id\W+([0-9.]+)", message)
    return found[1] if found else ""


def subscribe(channel: str, auth: str) -> str:
    """The message that asks for a private channel."""
    return json.dumps({"event": "pusher:subscribe", "data": {"channel": channel, "auth": auth}})


def signed(name: str, content: object) -> tuple[str, bytes]:
    """Path and body of a request to the HTTP API."""
    path, body = f"/apps/{APP.id}/{name}", json.dumps(content).encode()
    query = [
        ("auth_key", APP.key),
        ("auth_timestamp", str(int(time.time()))),
        ("auth_version", "1.0"),
        ("body_md5", body_md5(body)),
    ]
    query.append(("auth_signature", APP.request_signature("POST", path, query)))
    return f"{path}?{urlencode(query)}", body
