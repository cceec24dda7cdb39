"""Every error as a client sees it: ``{"error": {message, type, param, code}}``."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

from lepton_tasks.errors import (
    Conflict,
    Gone,
    IdempotencyConflict,
    InvalidInput,
    LeptonError,
    NotFound,
    Overloaded,
    StorageFull,
    StorageUnavailable,
    StoreUnavailable,
)
from lepton_tasks.openai.failures import error_body

logger = logging.getLogger(__name__)

_NO_RETRY: Final = {"x-should-retry": "false"}
"""Stock OpenAI clients send again what was a 409 or a 5xx, unless they are told not to."""
_PASSING: Final = {"still_running", "conversation_busy"}
"""Conflicts that are over soon."""
_HTTP_CODES: Final = {404: "unknown_url", 405: "method_not_allowed"}


class ApiError(LeptonError):
    """An error that only HTTP knows, with its status."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
        line: int | None = None,
    ) -> None:
        """``line`` is that of a file, from 1, where it is one that is wrong."""
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.line = line
        self.headers = dict(headers or {})


def error_response(
    status: int,
    code: str,
    message: str,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    line: int | None = None,
) -> Response:
    """Build the answer to a request that failed; ``line`` is told where it is given."""
    body = error_body(status, code, message, param)
    if line is not None:
        body["error"]["line"] = line
    return Response(
        orjson.dumps(body),
        status,
        headers=dict(headers or {}),
        media_type="application/json",
    )


def install_error_handlers(app: FastAPI, methods_at: Callable[[Scope], Iterable[str]]) -> None:
    """Answer every exception that a route raises on purpose; others are the middleware's.

    ``methods_at`` tells which methods the path of a request takes: a router knows those of its
    first route alone.
    """

    def on_http_exception(request: Request, error: Exception) -> Response:
        return _on_http_exception(error, methods_at(request.scope))

    app.add_exception_handler(LeptonError, _on_lepton_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, _on_database_error)


def _on_lepton_error(request: Request, error: Exception) -> Response:
    match error:
        case ApiError():
            return error_response(
                error.status, error.code, str(error), error.param, error.headers, error.line
            )
        case IdempotencyConflict():
            headers = _NO_RETRY
            return error_response(422, error.code, str(error), error.param, headers)
        case InvalidInput():
            return error_response(422, error.code, str(error), error.param)
        case Conflict():
            told = {} if error.code in _PASSING else _NO_RETRY
            return error_response(409, error.code, str(error), headers=told)
        case Gone():
            return error_response(410, error.code, str(error))
        case NotFound():
            return error_response(404, error.code, str(error))
        case Overloaded():
            # Whole seconds are all that the header takes; a part of one would be asked too soon.
            headers = {"retry-after": str(math.ceil(error.retry_after))}
            return error_response(429, error.code, str(error), headers=headers)
        case StoreUnavailable():
            logger.error("%s", error)
            return _unavailable()
        case StorageFull():
            logger.error("%s", error)
            message = "there is no room for files on the disk; nothing was kept"
            return error_response(507, error.code, message, headers=_NO_RETRY)
        case StorageUnavailable():
            logger.error("%s", error)
            message = "the folder of files cannot be used at the moment; nothing was kept"
            return error_response(503, error.code, message, headers={"retry-after": "5"})
        case _:
            logger.error("%s: %s", type(error).__name__, error)
            return error_response(500, "internal_error", "something went wrong on our side")


def _on_database_error(request: Request, error: Exception) -> Response:
    # The exception's text may hold bound values, hence the users' texts.
    logger.error("the database did not answer: %s", type(error).__name__)
    return _unavailable()


def _unavailable() -> Response:
    message = "the database cannot be used at the moment; nothing was accepted, send it again"
    return error_response(503, StoreUnavailable.code, message, headers={"retry-after": "1"})


def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first: Mapping[str, Any] = error.errors()[0]
    param = ".".join(str(part) for part in first["loc"][1:])
    return error_response(422, "invalid_parameter", f"{param}: {first['msg']}", param)


def _on_http_exception(error: Exception, methods: Iterable[str]) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    status = error.status_code
    message = {
        404: "there is nothing at this URL",
        405: "this URL does not take this method",
    }.get(status, str(error.detail))
    headers = dict(error.headers or {})
    if status == 405:
        headers["Allow"] = ", ".join(sorted(methods))
    return error_response(status, _HTTP_CODES.get(status, "http_error"), message, headers=headers)
