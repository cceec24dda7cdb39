"""``POST /v1/embeddings``: vectors of texts, in base64 or as numbers."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request, Response

from api.answers import errors
from api.auth import Tenant
from api.body import as_object, read_bytes, takes
from api.openai.calling import answered
from api.openai.route import OpenAiRoute
from api.services import ServicesDep
from lepton_tasks.openai.embeddings import EmbeddingBody, Embeddings

_ENDPOINT: Final = Embeddings()

router = APIRouter(
    prefix=_ENDPOINT.path,
    tags=["openai"],
    route_class=OpenAiRoute,
    responses=errors(404, 409, 422, 500, 504),
)


@router.post("", openapi_extra=takes(EmbeddingBody))
async def embed(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Response:
    """Embed texts: one vector each, in order. `space` says which vectors can be compared."""
    raw = await read_bytes(request, services.settings.max_request_bytes)
    asked = _ENDPOINT.read(as_object(raw))
    call = services.answering.call(request, tenant, raw)
    return await answered(services, response, call, asked)
