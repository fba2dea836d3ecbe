"""The page of metrics, or why there is none."""

import json

from realtime import pool

LACKING = (
    "Metrics need prometheus_client, which is not installed."
    " Install this package with the extra `metrics`."
)

WRONG_TOKEN = "This is not the REALTIME_METRICS_TOKEN."  # noqa: S105 - it is none


def page() -> tuple[int, str, bytes]:
    """Status, content type and text of what ``/metrics`` answers."""
    try:
        from realtime.operations import exposition  # noqa: PLC0415 - what it needs is an extra
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        return 501, "application/json", json.dumps({"detail": LACKING}).encode()
    return 200, exposition.CONTENT_TYPE, exposition.text(pool.figures())
