"""``/v1/webhook_endpoints/{id}/…``: what an endpoint was sent, a test of it, and once more."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from api.answers import errors
from api.auth import Tenant
from api.body import read_fields, takes
from api.schemas import Page
from api.services import Services, ServicesDep
from api.views import Limit
from api.webhook_schemas import (
    DeliveryView,
    EndpointId,
    EndpointTested,
    EventAsked,
    ReplayAsked,
    Replayed,
)
from lepton_tasks.states import DeliveryState
from lepton_tasks.store.delivery_history import DeliveryView as StoredDelivery
from lepton_tasks.store.delivery_history import PastAttempt
from lepton_tasks.times import parse_time
from lepton_tasks.webhooks.endpoint_rules import check_event_type
from lepton_tasks.webhooks.events import EVENT_TYPES

REPLAY_PAGE: Final = 1_000
"""Deliveries that one request replays."""
TEST_SECONDS: Final = 25.0
"""How long a test waits for its first attempt."""
_LOOK_SECONDS: Final = 0.1

router = APIRouter(prefix="/v1/webhook_endpoints", tags=["webhooks"])


@router.post(
    "/{endpoint_id}/test",
    openapi_extra=takes(EventAsked, required=False),
    responses=errors(409),
)
async def test(
    endpoint_id: EndpointId, request: Request, tenant: Tenant, services: ServicesDep
) -> EndpointTested:
    """Send a test event once and wait for what the receiver says.

    Its `data.test` is true. `event_type` chooses the event, `job.succeeded` otherwise.
    """
    body = await read_fields(request, ("event_type",))
    asked = body.get("event_type")
    event_type = check_event_type(EVENT_TYPES[0] if asked is None else asked, "event_type")
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


@router.get("/{endpoint_id}/deliveries")
async def deliveries(
    endpoint_id: EndpointId,
    tenant: Tenant,
    services: ServicesDep,
    state: DeliveryState | None = None,
    after: str | None = None,
    limit: Limit = 20,
) -> Page[DeliveryView]:
    """List an endpoint's deliveries, newest first."""

    def page() -> list[StoredDelivery]:
        services.store.endpoints.get(tenant, endpoint_id)
        return services.store.deliveries.page(
            tenant, endpoint_id, state=state, after=after, limit=limit + 1
        )

    return Page[DeliveryView].of(await run_in_threadpool(page), limit, DeliveryView.of)


@router.post("/{endpoint_id}/replay", responses=errors(409))
async def replay(
    endpoint_id: EndpointId, asked: ReplayAsked, tenant: Tenant, services: ServicesDep
) -> Replayed:
    """Send again what was not delivered from `since` up to `until` (now, if left out).

    Times are Unix seconds or ISO 8601 with an offset. Ids and bodies stay; what is on its
    way is left alone, so a repeated request sends nothing twice, unless `states` names
    `delivered`. While `has_more` is true, ask again with `after` set to `last_id`.
    """
    since = _seconds(asked.since, "since")
    until = time.time() + 1 if asked.until is None else _seconds(asked.until, "until")
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


def _seconds(moment: float | str, param: str) -> float:
    return parse_time(moment, param) if isinstance(moment, str) else moment
