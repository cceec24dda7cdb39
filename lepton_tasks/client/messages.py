"""Requests, answers and what is made of them: plain data, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, Any, Final

import orjson

from lepton_tasks.client.errors import ClientError, NoAnswer, NoConnection, Told, error_of

_LONGEST_QUOTE: Final = 200


@dataclass(frozen=True, slots=True)
class FilePart:
    """The file of a multipart body: it is read from its beginning at each sending."""

    name: str
    content: IO[bytes]
    field: str = "file"


@dataclass(frozen=True, slots=True)
class Request:
    """One call. ``path`` begins with ``/v1``; values of None in ``params`` are left out."""

    method: str
    path: str
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, str] | None = None
    file: FilePart | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    patience: float = 0.0
    """Seconds for which the server may keep it waiting, beyond the client's ``timeout``."""
    most: float | None = None
    """Seconds instead of a longer ``timeout``, for what is not worth the wait."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    content: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer came. ``reason`` is the transport's own word for it."""

    reason: str
    timed_out: bool = False


def failed(request: Request, failure: Failure, base_url: str) -> ClientError:
    """The error of a request that nobody answered."""
    what = f"{request.method} {base_url}{request.path}"
    if failure.timed_out:
        message = f"{what} was not answered in time; raise timeout= or look at the server"
        return NoAnswer(Told(0, message, "timeout"))
    message = f"{what} failed: {failure.reason}; is base_url right, and does the server run?"
    return NoConnection(Told(0, message, "connection_failed"))


def refused(response: Response) -> ClientError:
    """The error of an answer that is not a success.

    >>> body = b'{"error": {"message": "input is empty", "code": "empty", "param": "input"}}'
    >>> error = refused(Response(422, {"x-request-id": "req_7"}, body))
    >>> type(error).__name__, error.code, error.param, error.request_id
    ('InvalidRequest', 'empty', 'input', 'req_7')
    >>> str(refused(Response(502, {}, b"<html>bad gateway")))
    'HTTP 502 without an explanation: <html>bad gateway'
    """
    said = parsed(response.content)
    error = said.get("error") if isinstance(said, Mapping) else None
    request_id = response.headers.get("x-request-id")
    after = retry_after(response.headers) or 0.0
    if not isinstance(error, Mapping):
        quoted = response.content[:_LONGEST_QUOTE].decode(errors="replace")
        message = f"HTTP {response.status} without an explanation: {quoted}"
        return error_of(Told(response.status, message, "unexplained", None, request_id, after))
    return error_of(
        Told(
            response.status,
            str(error.get("message")),
            str(error.get("code")),
            error.get("param"),
            request_id,
            after,
        )
    )


def parsed(content: bytes) -> Any:
    """JSON of a body; None where it is none."""
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait; None where it says nothing that is understood.

    >>> retry_after({"retry-after-ms": "250", "retry-after": "9"}), retry_after({})
    (0.25, None)
    >>> retry_after({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"})
    """
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None
