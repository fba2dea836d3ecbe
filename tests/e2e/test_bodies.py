"""Request bodies in every form that HTTP allows."""

import json

import pytest


def chunks(text):
    """As clients send a body whose length they don't know: by Transfer-Encoding: chunked."""
    for start in range(0, len(text), 7):
        yield text[start : start + 7].encode()


def test_a_chunked_body_is_read(server):
    with server.client() as api:
        headers = {"Content-Type": "application/json"}
        body = json.dumps({"name": "In pieces", "description": "x" * 300})
        made = api.post("/api/todo-lists/", content=chunks(body), headers=headers)
        assert made.status_code == 201
        url = f"/api/todo-lists/{made.json()['id']}/"
        assert (
            api.patch(url, content=chunks('{"name": "Again"}'), headers=headers).status_code == 200
        )
        assert api.get(url).json()["name"] == "Again"


@pytest.mark.parametrize("body", ["", "{", '{"name": "x"} y'])
def test_a_wrong_chunked_body_is_a_400(server, body):
    with server.client() as api:
        headers = {"Content-Type": "application/json"}
        answer = api.post("/api/todo-lists/", content=chunks(body), headers=headers)
        assert answer.status_code == 400
