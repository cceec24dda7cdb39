"""``POST /v1/moderations``: is this text harmful? As OpenAI's, for texts."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from api.answers import errors
from api.auth import Tenant
from api.body import as_object, read_bytes, takes
from api.openai.calling import answered
from api.openai.route import OpenAiRoute
from api.services import ServicesDep
from lepton_tasks.openai.moderations import ModerationBody, Moderations

_ENDPOINT: Final = Moderations()

router = APIRouter(
    prefix=_ENDPOINT.path,
    tags=["openai"],
    route_class=OpenAiRoute,
    responses=errors(404, 409, 422, 500, 504),
)


@router.post("", openapi_extra=takes(ModerationBody))
async def moderate(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Moderate texts: one result each, in order.

    Beside OpenAI's thirteen categories there are those of this task. A category in
    `unsupported_categories` has no trained model for the text's language: its score is 0.
    """
    raw = await read_bytes(request, services.settings.max_request_bytes)
    asked = _ENDPOINT.read(as_object(raw))
    call = services.answering.call(request, tenant, raw)
    return await answered(services, response, call, asked)
