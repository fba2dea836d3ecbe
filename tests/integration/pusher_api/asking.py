"""Requests that are signed, and something to ask for."""

import json
import time
from urllib.parse import quote

from django.test import Client

from realtime import occupancy
from realtime.leases import Lease
from realtime.presence import membership
from realtime.presence.members import Arrival, Change
from realtime.signatures import body_md5
from tests.websockets import APP

NONE = object()
EVENT = {"name": "updated", "channels": ["a"], "data": "{}"}


def occupy(**counts):
    occupancy.write(Lease(), {name.replace("_", "-"): count for name, count in counts.items()})


def join(channel, *connections):
    arrivals = {socket: Arrival(user, '{"name":"x"}') for socket, user in connections}
    membership.apply(Lease(), {channel: Change(arrivals)})


def signed(method, path, body=b"", *, app=APP, **query):
    """A query that is signed by hand, so that it can be wrong in any way."""
    query = {
        "auth_key": app.key,
        "auth_timestamp": f"{time.time():.0f}",
        "auth_version": "1.0",
        **({"body_md5": body_md5(body)} if body else {}),
        **query,
    }
    pairs = [(name, value) for name, value in query.items() if value is not NONE]
    signature = app.request_signature(method, path, [p for p in pairs if p[0] != "auth_signature"])
    pairs = [("auth_signature", signature), *pairs]
    return "&".join(f"{name}={escaped(value)}" for name, value in pairs)


def ask(method, path, body=b"", *, send=None, **options):
    """The answer to a signed request."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    query = signed(method, path, body, **options)
    return Client().generic(method, path, body if send is None else send, QUERY_STRING=query)


def escaped(text):
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
