"""What an upstream's refusal means for a job. Nothing that it wrote is repeated: it may quote."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final

from workers.errors import ModelError, TemporaryFailure
from workers.generation.requests import GenerationRefused

LONGEST_WAIT: Final = 600.0
"""Seconds: what an upstream asks for beyond that is cut."""
_PASSING: Final = frozenset({408, 409, 425, 429})
_OPERATORS: Final = frozenset({401, 403, 404, 405})
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class UpstreamRefused(GenerationRefused):
    """The upstream will never do this request."""

    code = "upstream_refused"


class UpstreamMisconfigured(GenerationRefused):
    """The upstream knows neither this key nor this model: the catalogue's entry is wrong."""

    code = "model_unavailable"


class UpstreamBroken(ModelError):
    """The upstream answered something else than was asked for."""


def refusal(
    model: str, status: int, body: Any, retry_after: str | None
) -> TemporaryFailure | UpstreamMisconfigured | UpstreamRefused:
    """Make an error of a status that is no success.

    ``model`` is the catalogue's name for it, ``body`` the parsed answer, if it could be parsed.

    >>> refusal("large", 400, {"error": {"code": "context_length_exceeded"}}, None)
    UpstreamRefused('large refused the request: status 400, context_length_exceeded')
    >>> away = refusal("large", 503, None, "7")
    >>> isinstance(away, TemporaryFailure) and away.retry_after
    7.0
    """
    said = f"status {status}{_told(body)}"
    if status in _PASSING or status >= 500:
        return TemporaryFailure(f"{model} is away: {said}", seconds(retry_after))
    if status in _OPERATORS:
        return UpstreamMisconfigured(
            f"{model} takes neither its key nor its name: {said}; the operator can see the entry "
            f"with `lepton models show {model}`"
        )
    return UpstreamRefused(f"{model} refused the request: {said}")


def seconds(retry_after: str | None) -> float:
    """Seconds of a Retry-After header; 0 for none, or a date, which would need its clock.

    >>> seconds("3.5"), seconds("Wed, 21 Oct 2026 07:28:00 GMT"), seconds("-1"), seconds("1e9")
    (3.5, 0.0, 0.0, 600.0)
    """
    try:
        asked = float(retry_after or 0)
    except ValueError:
        return 0.0
    return 0.0 if math.isnan(asked) else min(max(0.0, asked), LONGEST_WAIT)


def _told(body: Any) -> str:
    """The code of an error, where it is a plain word and so quotes nothing."""
    error = body.get("error") if isinstance(body, Mapping) else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return f", {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""
