"""Signatures of Pusher's protocol. Pure.

Pusher's "Authentication signatures" and "HTTP API reference": HMAC-SHA256 in hex, keyed by the
application's secret, over the exact text that was received. Nothing is ever serialised anew.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class App:
    """What clients and servers are known by: a public key, and a secret that servers share."""

    id: str
    key: str
    secret: str = field(repr=False)

    def sign(self, text: str | bytes) -> str:
        """The signature of a text."""
        message = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return hmac.new(self.secret.encode(), message, hashlib.sha256).hexdigest()

    def channel_auth(self, socket_id: str, channel: str, channel_data: str = "") -> str:
        """What lets a connection subscribe to a private or presence channel."""
        parts = (socket_id, channel, channel_data) if channel_data else (socket_id, channel)
        return f"{self.key}:{self.sign(':'.join(parts))}"

    def user_auth(self, socket_id: str, user_data: str) -> str:
        """What lets a connection sign in as a user."""
        return f"{self.key}:{self.sign(f'{socket_id}::user::{user_data}')}"

    def request_signature(self, method: str, path: str, query: Iterable[tuple[str, str]]) -> str:
        """What a request to the HTTP API has as its ``auth_signature``.

        `query` are the other parameters, unescaped."""
        pairs = sorted((name.lower(), value) for name, value in query)
        text = "&".join(f"{name}={value}" for name, value in pairs)
        return self.sign(f"{method}\n{path}\n{text}")


def body_md5(body: bytes) -> str:
    """What a request to the HTTP API has as its ``body_md5``: it ties the signature to the body."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def matches(given: str, expected: str) -> bool:
    """Whether two signatures are the same, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass")
    )
