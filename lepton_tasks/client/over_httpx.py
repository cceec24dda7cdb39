"""Our requests and outcomes in terms of httpx; what the two drivers have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from lepton_tasks.client.configuration import Configuration
from lepton_tasks.client.messages import Failure, Request, Response

_CONNECT_SECONDS = 10.0
_FILE_TYPE = "application/octet-stream"


def arguments(request: Request, configuration: Configuration) -> dict[str, Any]:
    """What ``build_request`` of an httpx client takes for a request."""
    headers = {**configuration.all_headers(), **request.headers}
    made: dict[str, Any] = {
        "method": request.method,
        "url": configuration.base_url + request.path,
        "params": {name: value for name, value in request.params.items() if value is not None},
        "headers": headers,
        "timeout": patience(request, configuration),
    }
    if request.file is not None:
        part = request.file
        made["files"] = {part.field: (part.name, part.content, _FILE_TYPE)}
        made["data"] = dict(request.form or {})
    elif request.json is not None:
        made["content"] = orjson.dumps(request.json)
        headers["content-type"] = "application/json"
    return made


def patience(request: Request, configuration: Configuration) -> httpx.Timeout:
    """How long a request may take at each step."""
    most = min(configuration.timeout, request.most or configuration.timeout)
    return httpx.Timeout(most, connect=min(most, _CONNECT_SECONDS), read=most + request.patience)


def answer(response: httpx.Response, content: bytes = b"") -> Response:
    """An answer of httpx as ours."""
    return Response(response.status_code, lowered(response.headers), content)


def lowered(headers: httpx.Headers) -> Mapping[str, str]:
    """Headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def failure(error: httpx.RequestError) -> Failure:
    """Why no answer came. The transport's words name addresses, and nothing that was sent."""
    reason = str(error) or type(error).__name__
    return Failure(reason, timed_out=isinstance(error, httpx.TimeoutException))
