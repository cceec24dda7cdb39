"""``/v1/webhook_deliveries``: what was sent, how it went, and once more."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.concurrency import run_in_threadpool

from api.answers import errors
from api.auth import Tenant
from api.services import ServicesDep
from api.webhook_schemas import DeliveryDetail, DeliveryView

router = APIRouter(prefix="/v1/webhook_deliveries", tags=["webhooks"])

DeliveryId = Annotated[str, Path(description="Id of a delivery, `dlv_…`.")]


@router.get("/{delivery_id}")
async def read(delivery_id: DeliveryId, tenant: Tenant, services: ServicesDep) -> DeliveryDetail:
    """Read a delivery: its event and its last 100 attempts."""

    def work() -> DeliveryDetail:
        store = services.store.deliveries
        delivery, body = store.get(tenant, delivery_id), store.body(tenant, delivery_id)
        return DeliveryDetail.with_attempts(delivery, body, store.attempts(tenant, delivery_id))

    return await run_in_threadpool(work)


@router.post("/{delivery_id}/replay", responses=errors(409))
async def replay(delivery_id: DeliveryId, tenant: Tenant, services: ServicesDep) -> DeliveryView:
    """Send a delivery again: same id and body, a new time, a whole schedule of attempts.

    One that is on its way is due at once. A disabled or deleted endpoint answers 409.
    """

    def work() -> DeliveryView:
        delivery = services.store.deliveries.replay(tenant, delivery_id)
        services.announcements.say()
        return DeliveryView.of(delivery)

    return await run_in_threadpool(work)
