"""``/healthz`` and ``/readyz``: for supervisors and load balancers, no key needed."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Response

from api.schemas import Health, Ready
from api.services import ServicesDep

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process is alive."""
    return Health()


@router.get("/readyz")
async def readyz(response: Response, services: ServicesDep) -> Ready:
    """Say whether requests can be served: 503 without the database."""
    found = await services.readiness.look()
    status: Literal["ready", "degraded", "unavailable"] = "unavailable"
    if found.ready:
        status = "ready" if found.redis == "ok" else "degraded"
    else:
        response.status_code = 503
    return Ready(
        status=status,
        database=found.database,
        redis=found.redis,
        workers=found.workers,
        backlog=found.backlog,
    )
