"""What went wrong with a request, in the words that clients of the OpenAI API know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lepton_tasks.errors import InvalidInput

_LONGEST_MESSAGE: Final = 1_000
_LONGEST_PARAM: Final = 200
_STATUSES: Final[Mapping[str, tuple[int, str]]] = {
    "unknown_model": (404, "model_not_found"),
    "context_exceeded": (400, "context_length_exceeded"),
    "generation_refused": (400, "generation_refused"),
    "no_chat_template": (400, "no_chat_template"),
    "chat_template_refused": (400, "chat_template_refused"),
    "encoding_failed": (400, "encoding_failed"),
    "encoding_timeout": (400, "encoding_timeout"),
    "upstream_refused": (400, "upstream_refused"),
    "corpus_not_found": (400, "corpus_not_found"),
    "unavailable": (503, "unavailable"),
    "model_unavailable": (503, "model_unavailable"),
    "out_of_memory": (503, "out_of_memory"),
}
"""HTTP status and code by an item's own code; what is not here is a fault on our side."""


@dataclass(frozen=True, slots=True)
class WireFailure:
    """A request that was not answered: its HTTP status, and what is said about it."""

    status: int
    code: str
    message: str
    param: str | None = None

    def body(self) -> dict[str, Any]:
        """JSON body of the response.

        >>> WireFailure(400, "empty_text", "input is empty", "input").body()["error"]["type"]
        'invalid_request_error'
        """
        return error_body(self.status, self.code, self.message, self.param)


def failure(code: str, message: str) -> WireFailure:
    """What the error of an item or a job is over HTTP.

    >>> failure("unknown_model", "there is no model 'gpt-9' for chat")
    WireFailure(status=404, code='model_not_found', message="there is no model ...", param='model')
    """
    status, told = _STATUSES.get(code, (500, code))
    return WireFailure(status, told, message, "model" if status == 404 else None)


def refusal(error: InvalidInput) -> WireFailure:
    """What a wrong field of a request is over HTTP."""
    return WireFailure(400, error.code, str(error), error.param)


def error_body(status: int, code: str, message: str, param: str | None = None) -> dict[str, Any]:
    """JSON body that says an error.

    Messages and parameter names may quote a name that the client chose, so both are cut.
    """
    error = {
        "message": _cut(message, _LONGEST_MESSAGE),
        "type": error_type(status),
        "param": None if param is None else _cut(param, _LONGEST_PARAM),
        "code": code,
    }
    return {"error": error}


def error_type(status: int) -> str:
    """Class of an HTTP status in the words of the OpenAI API.

    >>> error_type(401), error_type(422), error_type(503)
    ('authentication_error', 'invalid_request_error', 'server_error')
    >>> error_type(429)
    'rate_limit_error'
    """
    if status == 401:
        return "authentication_error"
    if status == 429:
        return "rate_limit_error"
    return "invalid_request_error" if status < 500 else "server_error"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
