"""Reading a request's JSON body, bounded before it is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

import orjson
from pydantic import BaseModel
from starlette.requests import Request

from api.answers import REFERENCE
from api.errors import ApiError
from lepton_tasks.fields import refuse_unknown

SMALL_BYTES: Final = 64 * 1024
"""Most bytes of a body that holds no texts of a job."""
STALL_SECONDS: Final = 60.0
"""For how long nothing of a body may come before its request is given up."""
_MOST_DIGITS: Final = 20


def takes(
    model: type[BaseModel],
    *,
    required: bool = True,
    also: Iterable[str] = (),
    never_null: Iterable[str] = (),
) -> dict[str, Any]:
    """Describe a body that is read here and judged by our own rules, for OpenAPI.

    A field that may be left out may be null, but for ``never_null``. ``also`` are types of
    content that hold something else than the JSON of ``model``.
    """
    schema = model.model_json_schema(ref_template=REFERENCE)
    fields = schema["properties"]
    never = {*schema.get("required", ()), *never_null}
    schema["properties"] = {
        name: field if name in never else _or_null(field) for name, field in fields.items()
    }
    content: dict[str, Any] = {"application/json": {"schema": schema}}
    content |= {kind: {"schema": {"type": "string"}} for kind in also}
    return {"requestBody": {"required": required, "content": content}}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    takes_all = not {"type", "anyOf", "$ref", "enum"} & schema.keys()
    if takes_all or {"type": "null"} in schema.get("anyOf", ()):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


async def read_object(request: Request, limit: int) -> dict[str, Any]:
    """Read the body as a JSON object of at most ``limit`` bytes.

    Raises:
        ApiError: 413 too large, 408 cut off, 400 not JSON or not UTF-8, 422 not an object.
    """
    return as_object(await read_bytes(request, limit))


async def read_bytes(request: Request, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes.

    A body that says it is larger is refused unread, one that says nothing (chunked)
    at the first byte too many.

    Raises:
        ApiError: 413 too large, 408 the rest of it does not come.
    """
    if (declared_size(request) or 0) > limit:
        raise _too_large(limit)
    body = bytearray()
    async for chunk in chunks(request):
        body += chunk
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield a body as it comes.

    Raises:
        ApiError: 408, the rest of it does not come.
        ClientDisconnect: nobody sends it any more.
    """
    stream = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(STALL_SECONDS):
                chunk = await anext(stream, None)
        except TimeoutError as error:
            raise ApiError(
                408,
                "request_timeout",
                f"nothing more of the body came for {STALL_SECONDS:g} s; send the request again",
                headers={"connection": "close"},
            ) from error
        if chunk is None:
            return
        yield chunk


def declared_size(request: Request) -> int | None:
    """Bytes that a body says it has; None where it says nothing that can be read."""
    declared = request.headers.get("content-length", "")
    return int(declared) if declared.isdecimal() and len(declared) <= _MOST_DIGITS else None


def as_object(body: bytes) -> dict[str, Any]:
    """Parse a body that is to be a JSON object.

    Raises:
        ApiError: 400 not JSON or not UTF-8, 422 not an object.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The decoder names the place and never quotes what is there.
        raise ApiError(400, "invalid_json", f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ApiError(422, "invalid_type", "the body must be a JSON object")
    return value


async def read_fields(request: Request, known: Iterable[str]) -> dict[str, Any]:
    """Read a small body that may be left out, and has no fields but ``known``.

    Raises:
        ApiError: see :func:`read_object`.
        InvalidInput: there is another field.
    """
    empty = request.headers.get("content-length", "0") == "0"
    if empty and "transfer-encoding" not in request.headers:
        return {}
    body = await read_object(request, SMALL_BYTES)
    refuse_unknown(body, known)
    return body


def _too_large(limit: int) -> ApiError:
    return ApiError(
        413,
        "request_too_large",
        f"the body is larger than {limit:,} bytes; send several jobs, or a file with "
        "`lepton batch run`",
        headers={"connection": "close"},
    )
