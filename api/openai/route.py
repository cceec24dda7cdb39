"""Errors of the compatible routes: the statuses that stock clients know, and their words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
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


def renamed(error: InvalidInput, names: Mapping[str, str]) -> InvalidInput:
    """Say an error of admission in the names of a compatible request.

    ``names`` has ours as keys: a field, or the beginning of a path.

    >>> error = InvalidInput("inputs[3] is empty; send some text", "inputs[3]", "empty_text")
    >>> said = renamed(error, {"inputs": "input"})
    >>> str(said), said.param
    ('input[3] is empty; send some text', 'input[3]')
    """
    if error.param is None:
        return error
    for ours, theirs in names.items():
        rest = error.param.removeprefix(ours)
        if rest != error.param and (not rest or not rest[0].isalnum()):
            param = theirs + rest
            return InvalidInput(str(error).replace(error.param, param, 1), param, error.code)
    return error
