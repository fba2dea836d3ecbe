"""The API is what its OpenAPI schema says: schemathesis tries, through the real server."""

import pytest
import schemathesis
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)


schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))


@pytest.fixture(scope="module")
def api(make_server):
    server = make_server(REALTIME_MAX_STREAMS_PER_USER="5000")
    return server.url, {"Authorization": f"Token {server.token()}"}


@schema.parametrize()
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_to_the_schema(case, api):
    url, login = api
    headers = dict(login)
    if case.path == "/api/events/":
        # The other forms of a stream; text/event-stream has no end.
        headers["Accept"] = "application/json"
    case.call_and_validate(
        base_url=url, headers=headers, checks=CHECKS, timeout=20, allow_redirects=False
    )
