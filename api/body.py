"""Reading a request's JSON body, bounded before it is read."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request

from api.errors import ApiError


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """Read the body as a JSON object of at most ``limit`` bytes.

    A body that says it is larger is refused unread, one that says nothing (chunked)
    at the first byte too many.

    Raises:
        ApiError: 413 too large, 400 not JSON or not UTF-8, 422 not an object.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The decoder names the place and never quotes what is there.
        raise ApiError(400, "invalid_json", f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(422, "invalid_type", "the body must be a JSON object")
    return value


async def read_optional_object(request: Request, limit: int) -> dict[str, Any]:
    """Read the body as :func:`read_object` does; none at all counts as an empty object."""
    empty = request.headers.get("content-length", "0") == "0"
    if empty and "transfer-encoding" not in request.headers:
        return {}
    return await read_object(request, limit)


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        "request_too_large",
        f"the body is larger than {limit:,} bytes; send several jobs, or a file with "
        "`lepton batch run`",
        headers={"connection": "close"},
    )
