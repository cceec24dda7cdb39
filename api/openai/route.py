"""Errors of the compatible routes: the statuses that stock clients know, and their words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from api.errors import ApiError, error_response
from lepton_tasks.errors import IdempotencyConflict, InvalidInput

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class OpenAiRoute(APIRoute):
    """A route that answers what is wrong with a request with 400; all else is as everywhere.

    The body and ``x-request-id`` are the same on every route of ours.
    """

    def get_route_handler(self) -> Handler:
        """Wrap the handler that FastAPI makes."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except IdempotencyConflict:
                raise
            except InvalidInput as error:
                return error_response(400, error.code, str(error), error.param)
            except RequestValidationError as error:
                first = error.errors()[0]
                param = ".".join(str(part) for part in first["loc"][1:])
                return error_response(400, "invalid_value", f"{param}: {first['msg']}", param)
            except ApiError as error:
                if error.status != 422:
                    raise
                return error_response(400, error.code, str(error), error.param, error.headers)

        return handler
