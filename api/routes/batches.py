"""``/v1/batches``: progress of bulk files."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from api.auth import Tenant
from api.schemas import BatchView
from api.services import ServicesDep

router = APIRouter(prefix="/v1/batches", tags=["batches"])


@router.get("/{batch_id}")
async def read(batch_id: str, tenant: Tenant, services: ServicesDep) -> BatchView:
    """Read a batch and its counts."""
    return BatchView.of(await run_in_threadpool(services.store.batches.get, tenant, batch_id))
