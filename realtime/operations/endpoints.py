"""``/healthz`` and ``/metrics``, answered in the event loop, before Django.

A probe and a scraper come from inside, by an address that no visitor knows and without TLS; and
they come while Django can't answer. So neither ALLOWED_HOSTS nor a redirect to HTTPS, a login or a
throttle stands in their way.
"""

import json
import secrets

from realtime.bridge import Response, Scope
from realtime.conf import settings
from realtime.operations import gauges, health
from realtime.operations.metrics import WRONG_TOKEN, page
from realtime.worker import Worker

HEALTH = "/healthz"
METRICS = "/metrics"

_JSON = "application/json"
_METHODS = ("GET", "HEAD")


def answer(scope: Scope, worker: Worker | None) -> Response | None:
    """The answer to a request for one of the two; None for everything else, and where Django has to
    decide who asks. Without a worker, the process still waits for its database."""
    path = _path(scope)
    if path == HEALTH:
        return _checked(scope) or _health(worker)
    if path == METRICS and _is_token(_bearer(scope)):
        return _checked(scope) or metrics(worker)
    return None


def refusal(scope: Scope, status: int) -> Response | None:
    """The answer to a wrong token in place of Django's, if that has this status: that there is no
    such page or host, or that it is elsewhere. Django is asked first, for its views may know staff
    by tokens of another kind."""
    if not (status in (400, 404) or 300 <= status < 400) or _path(scope) != METRICS:
        return None
    if not settings.METRICS_TOKEN or _bearer(scope) is None:
        return None
    response = _response(401, _JSON, json.dumps({"detail": WRONG_TOKEN}).encode())
    response.headers.append((b"www-authenticate", b'Bearer realm="metrics"'))
    return response


def metrics(worker: Worker | None) -> Response:
    """The figures of all workers of this server, or 501 where these can't be shown; on the event
    loop's thread."""
    if worker is not None:
        gauges.measure(worker)
    return _response(*page())


def _health(worker: Worker | None) -> Response:
    failures = health.starting() if worker is None else health.failures(worker)
    failing = any(failures.values())
    checks = {
        part: {"status": "failing", "reason": reason} if reason else {"status": "ok"}
        for part, reason in failures.items()
    }
    told = {"status": "failing" if failing else "ok", "checks": checks}
    return _response(503 if failing else 200, _JSON, json.dumps(told).encode())


def _checked(scope: Scope) -> Response | None:
    if scope["method"] in _METHODS:
        return None
    text = json.dumps({"detail": f'Method "{scope["method"]}" not allowed.'}).encode()
    response = _response(405, _JSON, text)
    response.headers.append((b"allow", ", ".join(_METHODS).encode()))
    return response


def _path(scope: Scope) -> str:
    path: str = scope["path"].removeprefix(scope.get("root_path", ""))
    return path.rstrip("/")


def _bearer(scope: Scope) -> bytes | None:
    """The token that a request comes with."""
    given = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
    return token if scheme.lower() == b"bearer" else None


def _is_token(given: bytes | None) -> bool:
    expected = settings.METRICS_TOKEN
    return bool(expected and given) and secrets.compare_digest(given or b"", expected.encode())


def _response(status: int, kind: str, text: bytes) -> Response:
    headers = [
        (b"content-type", kind.encode()),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(text)),
    ]
    return Response(status, headers, text)
