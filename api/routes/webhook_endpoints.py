"""``/v1/webhook_endpoints``: who is told of what ends. The stock OpenAI client works here."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from api.auth import Tenant
from api.body import read_object, read_optional_object
from api.intake import parse_time
from api.schemas import Page
from api.sealing import needs_key
from api.services import Services, ServicesDep
from api.webhook_schemas import (
    DeliveryView,
    EndpointChange,
    EndpointCreate,
    EndpointDeleted,
    EndpointTested,
    EndpointView,
    EventTypes,
    ReplayAsked,
    Replayed,
)
from lepton_tasks.errors import InvalidInput
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.delivery_history import DeliveryView as StoredDelivery
from lepton_tasks.store.delivery_history import PastAttempt
from lepton_tasks.store.endpoints import OVERLAP_SECONDS, Endpoint
from lepton_tasks.webhooks.destination import check_destination
from lepton_tasks.webhooks.endpoint_rules import changes, check_event_type, new_endpoint
from lepton_tasks.webhooks.events import EVENT_TYPES
from lepton_tasks.webhooks.signing import check_secret, new_secret

MAX_BODY_BYTES: Final = 64 * 1024
MAX_PAGE: Final = 100
REPLAY_PAGE: Final = 1_000
"""Deliveries that one request replays."""
TEST_SECONDS: Final = 25.0
"""How long a test waits for its first attempt."""
_LOOK_SECONDS: Final = 0.1
_KEEP_OLD: Final = "keep_old_secret_active_for_24_hours"

router = APIRouter(prefix="/v1", tags=["webhooks"], dependencies=[Depends(needs_key)])

EndpointId = Annotated[str, Path(description="Id of an endpoint, `ep_…`.")]


def _takes(model: type[EndpointChange]) -> dict[str, Any]:
    schema = {"schema": model.model_json_schema()}
    return {"requestBody": {"required": True, "content": {"application/json": schema}}}


@router.get("/webhook_event_types")
async def event_types(tenant: Tenant) -> EventTypes:
    """List the events there are."""
    return EventTypes(data=list(EVENT_TYPES))


@router.post(
    "/webhook_endpoints",
    status_code=201,
    response_model=EndpointView,
    response_model_exclude_unset=True,
    openapi_extra=_takes(EndpointCreate),
)
async def create(
    request: Request, response: Response, tenant: Tenant, services: ServicesDep
) -> Any:
    """Make an endpoint. Its `signing_secret` is in this answer and in no other."""
    new = new_endpoint(await read_object(request, MAX_BODY_BYTES))
    await check_destination(new.url, services.guard)
    endpoint = await run_in_threadpool(services.store.endpoints.create, tenant, new)
    response.headers["location"] = f"/v1/webhook_endpoints/{endpoint.id}"
    return EndpointView.of(endpoint, new.secret)


@router.get(
    "/webhook_endpoints",
    response_model=Page[EndpointView],
    response_model_exclude_unset=True,
)
async def list_endpoints(
    tenant: Tenant,
    services: ServicesDep,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> Any:
    """List endpoints, newest first."""

    def page() -> list[Endpoint]:
        return services.store.endpoints.page(tenant, after=after, limit=limit + 1)

    found = await run_in_threadpool(page)
    shown = [EndpointView.of(one) for one in found[:limit]]
    return Page[EndpointView](
        object="list",
        data=shown,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=len(found) > limit,
    )


@router.get(
    "/webhook_endpoints/{endpoint_id}",
    response_model=EndpointView,
    response_model_exclude_unset=True,
)
async def read(endpoint_id: EndpointId, tenant: Tenant, services: ServicesDep) -> Any:
    """Read an endpoint."""
    return EndpointView.of(
        await run_in_threadpool(services.store.endpoints.get, tenant, endpoint_id)
    )


@router.post(
    "/webhook_endpoints/{endpoint_id}",
    response_model=EndpointView,
    response_model_exclude_unset=True,
    openapi_extra=_takes(EndpointChange),
    include_in_schema=False,
)
@router.patch(
    "/webhook_endpoints/{endpoint_id}",
    response_model=EndpointView,
    response_model_exclude_unset=True,
    openapi_extra=_takes(EndpointChange),
)
async def change(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> Any:
    """Change fields of an endpoint; `headers` and `event_types` as a whole."""
    checked = changes(await read_object(request, MAX_BODY_BYTES))
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


@router.post(
    "/webhook_endpoints/{endpoint_id}/rotate",
    response_model=EndpointView,
    response_model_exclude_unset=True,
)
async def rotate(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> Any:
    """Make a new secret, or take `secret`; for 24 hours both sign.

    With `"keep_old_secret_active_for_24_hours": false` the old one ends at once.
    """
    return await _rotate(endpoint_id, request, tenant, services, keep=True)


@router.post(
    "/webhook_endpoints/{endpoint_id}/rotate_secret",
    response_model=EndpointView,
    response_model_exclude_unset=True,
)
async def rotate_secret(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> Any:
    """Make a new secret as OpenAI's API does: the old one ends at once unless it is kept."""
    return await _rotate(endpoint_id, request, tenant, services, keep=False)


async def _rotate(
    endpoint_id: str, request: Request, tenant: str, services: Services, keep: bool
) -> EndpointView:
    body = await read_optional_object(request, MAX_BODY_BYTES)
    _refuse_unknown(body, ("secret", _KEEP_OLD))
    keep_old = body.get(_KEEP_OLD, keep)
    if not isinstance(keep_old, bool):
        raise InvalidInput(f"{_KEEP_OLD} must be true or false", _KEEP_OLD, "invalid_type")
    own = body.get("secret")
    secret = new_secret() if own is None else check_secret(own, "secret")
    overlap = OVERLAP_SECONDS if keep_old else 0.0
    rotated = services.store.endpoints.rotate
    endpoint = await run_in_threadpool(rotated, tenant, endpoint_id, secret, overlap)
    return EndpointView.of(endpoint, secret)


@router.post(
    "/webhook_endpoints/{endpoint_id}/enable",
    response_model=EndpointView,
    response_model_exclude_unset=True,
)
async def enable(endpoint_id: EndpointId, tenant: Tenant, services: ServicesDep) -> Any:
    """Send to an endpoint again; what was held meanwhile waits for a replay."""
    return EndpointView.of(
        await run_in_threadpool(services.store.endpoints.enable, tenant, endpoint_id)
    )


@router.post(
    "/webhook_endpoints/{endpoint_id}/disable",
    response_model=EndpointView,
    response_model_exclude_unset=True,
)
async def disable(endpoint_id: EndpointId, tenant: Tenant, services: ServicesDep) -> Any:
    """Send nothing to an endpoint; what it is owed is held, and can be replayed."""
    return EndpointView.of(
        await run_in_threadpool(services.store.endpoints.disable, tenant, endpoint_id)
    )


@router.post("/webhook_endpoints/{endpoint_id}/test")
async def test(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> EndpointTested:
    """Send a test event once and wait for what the receiver says.

    Its `data.test` is true. `event_type` chooses the event, `job.succeeded` otherwise.
    """
    body = await read_optional_object(request, MAX_BODY_BYTES)
    _refuse_unknown(body, ("event_type",))
    event_type = check_event_type(body.get("event_type", EVENT_TYPES[0]), "event_type")
    owed = services.store.endpoints.send_test
    delivery_id = await run_in_threadpool(owed, tenant, endpoint_id, event_type)
    services.announcements.say()
    past = await _first_attempt(services, tenant, delivery_id)
    await run_in_threadpool(services.store.deliveries.cancel, tenant, delivery_id)
    error = past.error if past else "it was not sent in time; is `lepton io` running?"
    return EndpointTested(
        webhook_endpoint_id=endpoint_id,
        event_type=event_type,
        delivery_id=delivery_id,
        success=error is None,
        status_code=past.status if past else None,
        error=error,
    )


async def _first_attempt(services: Services, tenant: str, delivery_id: str) -> PastAttempt | None:
    end = time.monotonic() + TEST_SECONDS
    while True:
        found = await run_in_threadpool(services.store.deliveries.attempts, tenant, delivery_id)
        if found:
            return found[0]
        if time.monotonic() >= end or services.waiting.released:
            return None
        await asyncio.sleep(_LOOK_SECONDS)


@router.get("/webhook_endpoints/{endpoint_id}/deliveries")
async def deliveries(
    endpoint_id: EndpointId,
    tenant: Tenant,
    services: ServicesDep,
    state: DeliveryState | None = None,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 20,
) -> Page[DeliveryView]:
    """List an endpoint's deliveries, newest first."""

    def page() -> list[StoredDelivery]:
        services.store.endpoints.get(tenant, endpoint_id)
        return services.store.deliveries.page(
            tenant, endpoint_id, state=state, after=after, limit=limit + 1
        )

    found = await run_in_threadpool(page)
    shown = [DeliveryView.of(one) for one in found[:limit]]
    return Page(
        data=shown,
        first_id=shown[0].id if shown else None,
        last_id=shown[-1].id if shown else None,
        has_more=len(found) > limit,
    )


@router.post("/webhook_endpoints/{endpoint_id}/replay")
async def replay(
    endpoint_id: EndpointId, asked: ReplayAsked, tenant: Tenant, services: ServicesDep
) -> Replayed:
    """Send again what was not delivered from `since` up to `until` (now, if left out).

    Times are Unix seconds or ISO 8601 with an offset. Ids and bodies stay; what is on its
    way is left alone, so a repeated request sends nothing twice, unless `states` names
    `delivered`. While `has_more` is true, ask again with `after` set to `last_id`.
    """
    since = float(parse_time(asked.since, "since"))
    until = time.time() + 1 if asked.until is None else float(parse_time(asked.until, "until"))
    states = [DeliveryState(state) for state in asked.states]

    def work() -> Replayed:
        step = services.store.deliveries.replay_range(
            tenant,
            endpoint_id,
            since,
            until,
            states=states,
            after=asked.after,
            limit=REPLAY_PAGE,
        )
        services.announcements.say()
        return Replayed(replayed=step.count, last_id=step.last_id, has_more=step.has_more)

    return await run_in_threadpool(work)


def _refuse_unknown(body: dict[str, Any], known: tuple[str, ...]) -> None:
    for name in body:
        if name not in known:
            raise InvalidInput(
                f"there is no field {name}; the fields are: {', '.join(known)}",
                name,
                "unknown_field",
            )
