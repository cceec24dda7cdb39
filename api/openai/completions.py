"""``POST /v1/completions``: a prompt goes in, the text that follows comes out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from api.answers import STREAMED, errors
from api.auth import Tenant
from api.body import as_object, read_bytes, takes
from api.openai.calling import answered, streamed
from api.openai.route import OpenAiRoute
from api.services import ServicesDep
from lepton_tasks.openai.completions import (
    CompletionBody,
    Completions,
    completion_head,
    completion_request,
    read_completion,
    text_choice,
)

router = APIRouter(
    prefix=Completions.path,
    tags=["openai"],
    route_class=OpenAiRoute,
    responses=errors(404, 409, 422, 500, 504) | STREAMED,
)


@router.post("", openapi_extra=takes(CompletionBody))
async def complete(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Write on from each prompt. With `stream`, which takes one, as server-sent events."""
    raw = await read_bytes(request, services.settings.max_request_bytes)
    body = read_completion(as_object(raw))
    asked = completion_request(body)
    call = services.answering.call(request, tenant, raw)
    if not body.stream:
        return await answered(services, response, call, asked)
    return await streamed(
        services,
        response,
        call,
        asked,
        head=partial(completion_head, body),
        text_of=lambda output: str(output["text"]),
        choice=_piece,
        wants_usage=body.wants_usage,
    )


def _piece(text: str | None, reason: str | None) -> Mapping[str, Any]:
    return text_choice(0, text or "", reason)
