"""Channels by which an installation is tried out: whoever has the secret key makes a name that
anybody may read, for a few minutes. Nobody else can, and no name is good for anything else."""

import hmac
import secrets
import time

from django.utils.crypto import salted_hmac

LIFETIME = 600
"""Seconds."""
_PREFIX = "realtime-probe."


def name() -> str:
    """A new channel."""
    body = f"{_PREFIX}{secrets.token_hex(8)}.{int(time.time()) + LIFETIME}"
    return f"{body}.{_signature(body)}"


def admits(channel: str) -> bool:
    """Whether a channel is one of these, and still good."""
    if not channel.startswith(_PREFIX):
        return False
    body, _, signature = channel.rpartition(".")
    if not hmac.compare_digest(signature.encode(), _signature(body).encode()):
        return False
    return time.time() < int(body.rpartition(".")[2])


def _signature(body: str) -> str:
    return salted_hmac("realtime.probes", body, algorithm="sha256").hexdigest()
