"""Other origins: only configured ones, exactly."""

import httpx
import pytest

ORIGIN = "https://app.example"


@pytest.fixture(scope="module")
def server(make_server):
    return make_server(CORS_ALLOWED_ORIGINS=ORIGIN)


def test_a_configured_origin_may_read_with_credentials(server):
    with server.client() as api:
        answer = api.get("/api/todo-lists/", headers={"Origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert "link" in answer.headers["access-control-expose-headers"].lower()
    assert "origin" in answer.headers["vary"].lower()


def test_any_other_origin_gets_no_permission_and_never_a_star(server):
    with server.client() as api:
        answer = api.get("/api/todo-lists/", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in answer.headers
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize("origin", [ORIGIN, "https://evil.example"])
def test_streams_keep_the_same_rules(server, origin):
    headers = {"Authorization": f"Token {server.token()}", "Origin": origin}
    url = f"{server.url}/api/events/?channel=private-user.1"
    with httpx.stream("GET", url, headers=headers) as answer:
        allowed = answer.headers.get("access-control-allow-origin")
        assert allowed == (origin if origin == ORIGIN else None)
        assert "origin" in answer.headers["vary"].lower()


def test_a_refusal_can_be_read_by_another_origin(make_server):
    server = make_server(CORS_ALLOWED_ORIGINS=ORIGIN, REALTIME_MAX_STREAMS_PER_USER="1")
    headers = {"Authorization": f"Token {server.token()}", "Origin": ORIGIN}
    url = f"{server.url}/api/events/?channel=private-user.1"
    with httpx.stream("GET", url, headers=headers) as first:
        assert first.status_code == 200
        second = httpx.get(url, headers=headers)
        assert second.status_code == 429
        assert second.headers["access-control-allow-origin"] == ORIGIN
        assert second.json()["detail"]


def test_a_preflight_allows_what_a_client_sends(server):
    wanted = "authorization,content-type,last-event-id,x-mutation-id"
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": wanted,
    }
    answer = httpx.options(f"{server.url}/api/todo-items/1/", headers=headers)
    allowed = {name.strip() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert set(wanted.split(",")) <= allowed
    assert "PATCH" in answer.headers["access-control-allow-methods"]
