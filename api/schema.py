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


def document_common_answers(result: Any, generator: Any, request: Any, public: Any) -> Any:
    """Adds the answers that do not depend on the resource, and the real-time headers."""
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            answers = operation["responses"]
            _add_errors(answers, path, method)
            if path.startswith("/api/todo-"):
                _add_realtime(operation, answers, method)
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
