"""``/v1/webhook_endpoints``: who is told of what ends. The stock OpenAI client works here."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api.answers import errors, tells
from api.auth import Tenant
from api.body import SMALL_BYTES, read_fields, read_object, takes
from api.schemas import Page
from api.sealing import needs_key
from api.services import Services, ServicesDep
from api.views import Limit
from api.webhook_schemas import (
    EndpointChange,
    EndpointCreate,
    EndpointDeleted,
    EndpointId,
    EndpointView,
    EventTypes,
    SecretAsked,
)
from lepton_tasks.errors import InvalidInput
from lepton_tasks.store.endpoints import OVERLAP_SECONDS
from lepton_tasks.webhooks.destination import check_destination
from lepton_tasks.webhooks.endpoint_rules import changes, new_endpoint
from lepton_tasks.webhooks.events import EVENT_TYPES
from lepton_tasks.webhooks.signing import check_secret, new_secret

_KEEP_OLD: Final = "keep_old_secret_active_for_24_hours"
_ENDPOINT: Final[dict[str, Any]] = {
    "response_model": EndpointView,
    "response_model_exclude_unset": True,  # a secret is there only where it is told
}
_SECRET: Final = takes(SecretAsked, required=False)

router = APIRouter(prefix="/v1", tags=["webhooks"], dependencies=[Depends(needs_key)])


@router.get("/webhook_event_types")
async def event_types(tenant: Tenant) -> EventTypes:
    """List the events there are."""
    return EventTypes(data=list(EVENT_TYPES))


@router.post(
    "/webhook_endpoints",
    status_code=201,
    **_ENDPOINT,
    openapi_extra=takes(EndpointCreate),
    responses=errors(409) | tells(201, "Location"),
)
async def create(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Any:
    """Make an endpoint. Its `signing_secret` is in this answer and in no other."""
    new = new_endpoint(await read_object(request, SMALL_BYTES))
    await check_destination(new.url, services.guard)
    endpoint = await run_in_threadpool(services.store.endpoints.create, tenant, new)
    response.headers["location"] = f"/v1/webhook_endpoints/{endpoint.id}"
    return EndpointView.of(endpoint, new.secret)


@router.get(
    "/webhook_endpoints", response_model=Page[EndpointView], response_model_exclude_unset=True
)
async def list_endpoints(
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Limit = 20,
) -> Any:
    """List endpoints, newest first."""
    page = services.store.endpoints.page
    found = await run_in_threadpool(page, tenant, after=after, limit=limit + 1)
    return Page[EndpointView].of(found, limit, EndpointView.of)


@router.get("/webhook_endpoints/{endpoint_id}", **_ENDPOINT)
async def read(endpoint_id: EndpointId, tenant: Tenant, services: ServicesDep) -> Any:
    """Read an endpoint."""
    return EndpointView.of(
        await run_in_threadpool(services.store.endpoints.get, tenant, endpoint_id)
    )


@router.post(
    "/webhook_endpoints/{endpoint_id}",
    **_ENDPOINT,
    operation_id="change_as_openai",
    openapi_extra=takes(EndpointChange, never_null=["url"]),
)
@router.patch(
    "/webhook_endpoints/{endpoint_id}",
    **_ENDPOINT,
    openapi_extra=takes(EndpointChange, never_null=["url"]),
)
async def change(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> Any:
    """Change fields of an endpoint; `headers` and `event_types` as a whole."""
    checked = changes(await read_object(request, SMALL_BYTES))
    await run_in_threadpool(services.store.endpoints.get, tenant, endpoint_id)
    if "url" in checked:
        await check_destination(checked["url"], services.guard)
    changed = services.store.endpoints.change
    return EndpointView.of(await run_in_threadpool(changed, tenant, endpoint_id, checked))


@router.delete("/webhook_endpoints/{endpoint_id}")
async def delete(endpoint_id: EndpointId, tenant: Tenant, services: ServicesDep) -> EndpointDeleted:
    """Delete an endpoint; what it was still owed is cancelled."""
    await run_in_threadpool(services.store.endpoints.delete, tenant, endpoint_id)
    return EndpointDeleted(id=endpoint_id)


@router.post("/webhook_endpoints/{endpoint_id}/rotate", **_ENDPOINT, openapi_extra=_SECRET)
async def rotate(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> Any:
    """Make a new secret, or take `secret`; for 24 hours both sign.

    With `"keep_old_secret_active_for_24_hours": false` the old one ends at once.
    """
    return await _rotate(endpoint_id, request, tenant, services, keep=True)


@router.post("/webhook_endpoints/{endpoint_id}/rotate_secret", **_ENDPOINT, openapi_extra=_SECRET)
async def rotate_secret(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> Any:
    """Make a new secret as OpenAI's API does: the old one ends at once unless it is kept."""
    return await _rotate(endpoint_id, request, tenant, services, keep=False)


async def _rotate(
    endpoint_id: str, request: Request, tenant: str, services: Services, keep: bool
) -> EndpointView:
    body = await read_fields(request, ("secret", _KEEP_OLD))
    asked = body.get(_KEEP_OLD)
    keep_old = keep if asked is None else asked
    if not isinstance(keep_old, bool):
        raise InvalidInput(f"{_KEEP_OLD} must be true or false", _KEEP_OLD, "invalid_type")
    own = body.get("secret")
    secret = new_secret() if own is None else check_secret(own, "secret")
    overlap = OVERLAP_SECONDS if keep_old else 0.0
    rotated = services.store.endpoints.rotate
    endpoint = await run_in_threadpool(rotated, tenant, endpoint_id, secret, overlap)
    return EndpointView.of(endpoint, secret)


@router.post("/webhook_endpoints/{endpoint_id}/enable", **_ENDPOINT)
async def enable(endpoint_id: EndpointId, tenant: Tenant, services: ServicesDep) -> Any:
    """Send to an endpoint again; what was held meanwhile waits for a replay."""
    return EndpointView.of(
        await run_in_threadpool(services.store.endpoints.enable, tenant, endpoint_id)
    )


@router.post("/webhook_endpoints/{endpoint_id}/disable", **_ENDPOINT)
async def disable(endpoint_id: EndpointId, tenant: Tenant, services: ServicesDep) -> Any:
    """Send nothing to an endpoint; what it is owed is held, and can be replayed."""
    return EndpointView.of(
        await run_in_threadpool(services.store.endpoints.disable, tenant, endpoint_id)
    )
