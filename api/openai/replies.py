"""Answers of the compatible routes: JSON with the headers that a call's jobs brought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response


def reply(
    response: Response, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with ``body`` and with ``headers`` beside those that dependencies have set."""
    together = {**response.headers, **(headers or {})}
    return Response(orjson.dumps(body), headers=together, media_type="application/json")
