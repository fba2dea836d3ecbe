"""What every operation of the OpenAPI schema has in common."""

from typing import Any

_ERROR = {
    "type": "object",
    "properties": {"detail": {"type": "string"}},
    "additionalProperties": True,
}
# A header's or a parameter's may be a list of sentences.
_FIELD_ERRORS = {
    "oneOf": [
        {"type": "object", "additionalProperties": True},
        {"type": "array", "items": {"type": "string"}},
    ]
}
_PUBLIC = ("/api/token/", "/api/schema/")
_OBJECTS = ("/api/todo-lists/{id}/", "/api/todo-items/{id}/")

_LINK = {
    "description": "Where to subscribe to what this answer shows, and from which position on:"
    ' `</api/events/?channel=…>; rel="stream"; last-event-id="…"`.',
    "schema": {"type": "string"},
}
_MUTATION = {
    "name": "X-Mutation-ID",
    "in": "header",
    "required": False,
    "description": "Comes back as `mutation` in the events that this write causes.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[ -~]+$"},
}


_ETAG = {
    "description": "Of the JSON: a digest of it as `JSON.stringify` writes it.",
    "schema": {"type": "string"},
}
_TAGS = r'^\s*(\*|,*\s*(W/)?"[!#-~]*"(\s*,\s*(W/)?"[!#-~]*")*)\s*$'
_CONDITIONS = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", "pattern": _TAGS},
    }
    for name, description in (
        ("If-Match", "Do nothing, and answer 412, unless the object has one of these tags."),
        ("If-None-Match", "Answer 304 to a GET, and 412 to a write, if it has one of these tags."),
    )
]


def document_common_answers(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """Adds the answers that do not depend on the resource, and the real-time headers."""
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            _add_errors(answers, path, method)
            if path.startswith("/api/todo-"):
                _add_realtime(operation, answers, method)
            if path in _OBJECTS:
                _add_conditions(operation, answers, method)
    return result


def _add_errors(answers: Any, path: str, method: str) -> None:
    errors = {
        "400": "A parameter, a header or a field is wrong.",
        "401": "Not logged in.",
        "406": "No such format.",
        "429": "Too many requests; `Retry-After` says for how many seconds.",
    }
    if path in _PUBLIC:
        del errors["401"]
    if "{" in path:
        errors["404"] = "There is no such object, or it is not yours to see."
    if method in ("post", "put", "patch"):
        errors["415"] = "Wrong media type."
    if method != "get" and path not in _PUBLIC:
        errors["403"] = "A session without its CSRF token."
        if path.startswith("/api/todo-lists/{"):
            errors["403"] += " Or: only the list's owner may do this."
    for code, description in errors.items():
        schema = _FIELD_ERRORS if code == "400" else _ERROR
        content = {"application/json": {"schema": schema}}
        answers.setdefault(code, {"description": description, "content": content})


def _add_realtime(operation: Any, answers: Any, method: str) -> None:
    if method == "get":
        answers["200"].setdefault("headers", {})["Link"] = _LINK
    else:
        operation.setdefault("parameters", []).append(_MUTATION)


def _add_conditions(operation: Any, answers: Any, method: str) -> None:
    operation.setdefault("parameters", []).extend(_CONDITIONS)
    if method == "get":
        answers["304"] = {
            "description": "You have it already.",
            "headers": {"ETag": _ETAG, "Link": _LINK},
        }
    if method in ("get", "patch"):
        answers["200"].setdefault("headers", {})["ETag"] = _ETAG
    current = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    answers["412"] = {
        "description": "A condition is not fulfilled; nothing was done.",
        "headers": {"ETag": _ETAG, "Link": _LINK},
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "detail": {"type": "string"},
                        "current": current.get("schema", {"type": "object"}),
                    },
                    "required": ["detail", "current"],
                }
            }
        },
    }
