"""What routes declare of their answers, for the OpenAPI document: errors and headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

REFERENCE: Final = "#/components/schemas/{model}"
"""Where a schema that another one names is found in the document."""

ERRORS: Final[Mapping[int, str]] = {
    400: "The request cannot be read: a NUL in its URL, or a body that is not JSON.",
    401: "There is no API key, or not a valid one.",
    404: "The tenant has nothing of this name.",
    408: "The body did not come in time.",
    409: "The state that it is in does not allow it.",
    410: "It was deleted, or has expired.",
    413: "The body is too large.",
    416: "The file has no such bytes.",
    422: "A field or a parameter is wrong; `param` names it.",
    429: "Too much of the tenant's waits, or comes too fast; nothing was accepted.",
    500: "The model failed on this input.",
    503: "What is needed cannot be used at the moment; nothing was accepted.",
    504: "The answer took longer than calls wait.",
    507: "There is no room for files on the disk; nothing was kept.",
}
OPENAI_BAD_REQUEST: Final = (
    "The request cannot be read, or a field or a parameter is wrong; `param` names it."
)
_HEADERS: Final[Mapping[str, tuple[str, str]]] = {
    "WWW-Authenticate": ("string", "How to send a key."),
    "Retry-After": ("integer", "Seconds after which to send the request again."),
    "X-Request-Id": ("string", "Id of the request, which the server's log has too."),
    "X-RateLimit-Limit-Requests": ("integer", "Requests that may come at once, where bounded."),
    "X-RateLimit-Remaining-Requests": ("integer", "How many of them are left."),
    "Location": ("string", "Where it is read."),
    "Idempotent-Replayed": ("string", "`true` where the key was used: the first answer again."),
}
HEADERS_OF: Final = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


class ErrorDetail(BaseModel):
    """What is wrong. ``code`` is for programs, ``param`` names the field where one is wrong.

    ``line`` is there where a line of a file is wrong: its number, from 1.
    """

    model_config = ConfigDict(extra="forbid")

    message: str
    type: Literal[
        "authentication_error", "invalid_request_error", "rate_limit_error", "server_error"
    ]
    param: str | None
    code: str
    line: int | None = None


class ErrorBody(BaseModel):
    """The body of every answer that is an error."""

    model_config = ConfigDict(extra="forbid")

    error: ErrorDetail


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare errors of a route besides those that every one has (:mod:`api.document`).

    To be given as ``responses`` of a route or a router.
    """
    return {status: error_answer(ERRORS[status]) for status in statuses}


def error_answer(description: str) -> dict[str, Any]:
    """Describe an answer that is an error; the document has the schema of its body."""
    schema = {"$ref": REFERENCE.format(model=ErrorBody.__name__)}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def tells(status: int, *headers: str) -> dict[int | str, dict[str, Any]]:
    """Declare the headers that a good answer of a route has, as ``responses`` of it."""
    return {status: {"headers": {name: header(name) for name in headers}}}


STREAMED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
"""Declares that a good answer may come as server-sent events, too."""


def header(name: str) -> dict[str, Any]:
    """Describe one of our headers."""
    kind, description = _HEADERS[name]
    return {"description": description, "schema": {"type": kind}}
